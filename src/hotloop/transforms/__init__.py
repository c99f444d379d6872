"""The transforms, one a file; the file name is the name in a plan."""
