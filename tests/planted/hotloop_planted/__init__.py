"""A third party's transforms: planted faults that verification must refuse, and a few that fail in other ways."""
