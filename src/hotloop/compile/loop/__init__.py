"""A training loop in the source of a program: the statements of its step cut out, captured and run as one graph."""
