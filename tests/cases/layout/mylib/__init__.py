from .net import make  # noqa: F401
