"""Runs what is to be trained, script or recipe, under hooks; nothing above this room knows which of the two it has."""
