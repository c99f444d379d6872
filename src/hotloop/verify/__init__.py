"""Shows that a plan still trains the same model."""
