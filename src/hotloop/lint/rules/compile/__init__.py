"""CO: what is compiled, and whether it pays."""
