"""Networks and their parts by name, one a file; nothing here is imported before it is asked for."""
