"""Attributes that are others for a while, on a class, a module or one object alone."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_MISSING = object()


@contextmanager
def attribute(owner: Any, name: str, value: Any) -> Generator[None]:
    """`owner.name` is `value` while inside."""
    before = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def own_attribute(owner: Any, name: str, value: Any) -> Generator[None]:
    """An attribute of the object itself, gone afterwards where there was none."""
    before = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
