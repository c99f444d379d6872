"""The command line: each command parses, calls one verb, prints, and returns a code."""
