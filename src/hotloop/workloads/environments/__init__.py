"""Environments for PPO, one a file; the file name is the name in a config."""
