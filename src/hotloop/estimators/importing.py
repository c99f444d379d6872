"""Functions and classes by import path, for files that must not hold code."""

import importlib
from typing import Any


def import_path(thing: Any) -> str | None:
    """`module:name` from which exactly `thing` can be imported; None for a lambda, a closure or a bound method."""
    # Universal functions of NumPy have no qualified name.
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", getattr(thing, "__name__", None))
    if not module or not name or "<" in name or module == "__main__":
        return None
    path = f"{module}:{name}"
    try:
        return path if imported(path) is thing else None
    except (ImportError, AttributeError):
        return None


def imported(path: str) -> Any:
    """What `module:name` names. Raises ImportError or AttributeError where there is nothing."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def described(thing: Any) -> str:
    """How to call `thing` in a message."""
    return str(getattr(thing, "__qualname__", None) or type(thing).__name__)
