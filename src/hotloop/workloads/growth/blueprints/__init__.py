"""Blueprints of seeds, one a file."""
