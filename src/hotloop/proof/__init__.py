"""Proves one plan: session, confirmation, the machine against itself."""
