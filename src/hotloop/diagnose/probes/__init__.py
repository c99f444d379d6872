"""Probes: each looks at a few steps of a running program for one thing; found by file name."""
