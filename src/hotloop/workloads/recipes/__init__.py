"""Recipes that ship with hotloop, one a file; the file name is the name on the command line."""
