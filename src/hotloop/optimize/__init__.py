"""Searches for a faster plan, proves it, and trains under it."""
