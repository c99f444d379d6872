"""An attribute of a class or a module that is another one for a while: the one way in which hotloop patches torch."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def patched(owner: Any, name: str, replacement: Any) -> Generator[None]:
    """`owner.name` is `replacement`, and afterwards what it was, unless the program has put something else there."""
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if getattr(owner, name, None) is replacement:
            setattr(owner, name, original)
