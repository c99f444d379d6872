"""Patches: the changes that fixers ask for, made in one file, as a diff or written."""
