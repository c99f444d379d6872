"""What one file of Python says: its nodes in order, its names, and what its expressions are."""
