"""Fixers: edits that cure findings without a change to any number the program computes. See `README.md` here."""
