"""Losses of a panel forecast by day: one a file, every horizon at once, segment operations, nothing read."""
