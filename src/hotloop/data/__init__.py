"""Data that training reads: one folder for each kind of it."""
