"""The rules, one a file, named by their codes in lower case; the registry finds them here."""
