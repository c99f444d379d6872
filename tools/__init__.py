"""Programs for those who work on hotloop; nothing here is installed with it."""
