"""Whether two batches, or two samples, are the same: the same containers, dtypes, shapes, strides and bytes."""

import struct
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray, _numpy.generic) if _numpy else ()
_PLAIN = (int, float, bool, str, bytes, type(None))


def first_difference(mine: Any, other: Any, at: str = "the batch") -> str | None:
    """In words, where `mine` is not what `other` is; None where they are the same.

    NaN equals NaN of the same bits, and 0.0 is not -0.0. What cannot be compared counts as different.
    """
    if type(mine) is not type(other):
        return f"{at} is a {type(mine).__name__} in place of a {type(other).__name__}"
    if isinstance(mine, Tensor):
        return _first_in_tensors(mine, other, at)
    if isinstance(mine, (tuple, list, dict)):
        return _first_in_containers(mine, other, at)
    if not isinstance(mine, (*_ARRAYS, *_PLAIN)):
        return f"{at} is a {type(mine).__name__}, which cannot be compared"
    return None if _bits(mine) == _bits(other) else f"{at} is {mine!r:.40} in place of {other!r:.40}"


def _bits(value: Any) -> Any:
    """What is equal for equal values, NaN included; an array of objects equals no other."""
    if isinstance(value, _ARRAYS):
        return object() if value.dtype.hasobject else (value.dtype, value.shape, value.tobytes())
    return struct.pack("d", value) if type(value) is float else value


def _first_in_tensors(mine: Tensor, other: Tensor, at: str) -> str | None:
    for what in ("dtype", "shape", "device", "layout", "requires_grad"):
        if getattr(mine, what) != getattr(other, what):
            return f"the {what} of {at} is {getattr(mine, what)} in place of {getattr(other, what)}"
    if mine.layout is not torch.strided or mine.is_quantized:
        return f"{at} is not a plain tensor, which cannot be compared"
    if mine.stride() != other.stride():
        return f"{at} has strides {mine.stride()} in place of {other.stride()}"
    if torch.equal(mine, other) and not mine.is_floating_point():
        return None
    return None if torch.equal(_bytes(mine), _bytes(other)) else f"{at} holds other values"


def _bytes(value: Tensor) -> Tensor:
    return value.detach().contiguous().reshape(-1).view(torch.uint8)


def _first_in_containers(mine: Any, other: Any, at: str) -> str | None:
    if len(mine) != len(other):
        return f"{at} has {len(mine)} parts in place of {len(other)}"
    if isinstance(mine, dict) and list(mine) != list(other):  # pyright: ignore[reportUnknownArgumentType]
        return f"{at} has other keys"
    return next(filter(None, (first_difference(a, b, name) for name, a, b in _parts(mine, other, at))), None)


def _parts(mine: Any, other: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    for key in mine if isinstance(mine, dict) else range(len(mine)):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        yield f"part {key!r} of {at}", mine[key], other[key]
