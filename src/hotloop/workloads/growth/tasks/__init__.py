"""What growing networks are trained on: a host and real data, one a file."""
