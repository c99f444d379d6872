"""Trackers by name, one a file: write-only sinks for what a session ended with."""
