"""A model for hotloop, as a third party ships it."""
