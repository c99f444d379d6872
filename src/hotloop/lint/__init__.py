"""Static rules: slow and unsafe patterns found by reading the source, never by importing it."""
