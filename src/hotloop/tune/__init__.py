"""Finds a faster plan: candidates, screening, search."""
