"""ME: whether what is reported is right."""
