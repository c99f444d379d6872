"""Models by batch sizes by dtypes, read from a TOML file; each row trains as a recipe."""
