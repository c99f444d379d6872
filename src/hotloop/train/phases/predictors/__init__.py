"""Predictors: how much each of the last gradients counts in the next, one a file, registered under its name."""
