"""The blocks of the stock-panel network, one a file."""
