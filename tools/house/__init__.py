"""Measures the source of a checkout, and holds it to the house rules: `python -m tools.house`."""
