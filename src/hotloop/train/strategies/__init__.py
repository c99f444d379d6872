"""How a batch becomes a loss: one strategy a file, registered under the name of the file."""
