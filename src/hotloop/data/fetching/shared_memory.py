"""Whether two values hold the same memory: a change of one would be a change of the other."""

import sys
from collections.abc import Iterator
from typing import Any

from torch import Tensor

_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray,) if _numpy else ()


def share_memory(one: Any, other: Any) -> bool:
    """Whether a tensor, an array, a list or a dict of one is one of the other too, or a view of its memory."""
    return not set(_memory(one)).isdisjoint(_memory(other))


def _memory(value: Any) -> Iterator[int]:
    """Addresses of what can be changed in a value."""
    if isinstance(value, Tensor):
        if value.numel():
            yield value.untyped_storage().data_ptr()
    elif isinstance(value, _ARRAYS):
        base = value
        while isinstance(base.base, _ARRAYS):
            base = base.base
        if base.size:
            yield base.__array_interface__["data"][0]
    elif isinstance(value, (list, tuple, dict)):
        if value and not isinstance(value, tuple):
            yield id(value)  # pyright: ignore[reportUnknownArgumentType]
        for part in value.values() if isinstance(value, dict) else value:  # pyright: ignore[reportUnknownVariableType]
            yield from _memory(part)
