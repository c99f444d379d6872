"""The version of hotloop, where every room may import it: the root of the package hands on names of the rooms."""

__version__ = "0.1.0"
