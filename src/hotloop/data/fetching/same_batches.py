"""Whether two batches, or two samples, are the same: the same containers, dtypes, shapes, strides and bytes.

Objects are the same where what they would be copied from is (`__reduce_ex__`, of which nothing is pickled).
"""

import struct
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray, _numpy.generic) if _numpy else ()
_PLAIN = (int, float, bool, str, bytes, type(None))


Seen = set[tuple[int, int]]  # pairs of objects that are being compared already


def first_difference(mine: Any, other: Any, at: str = "the batch", *, seen: Seen | None = None) -> str | None:
    """In words, where `mine` is not what `other` is; None where they are the same.

    NaN equals NaN of the same bits, and 0.0 is not -0.0. What cannot be compared counts as different. `seen` is for
    objects that hold each other.
    """
    if type(mine) is not type(other):
        return f"{at} is a {type(mine).__name__} in place of a {type(other).__name__}"
    if isinstance(mine, Tensor):
        return _first_in_tensors(mine, other, at)
    if isinstance(mine, (tuple, list, dict)):
        return _first_in_containers(mine, other, at, seen)
    if not isinstance(mine, (*_ARRAYS, *_PLAIN)):
        return _first_in_objects(mine, other, at, set() if seen is None else seen)
    return None if _bits(mine) == _bits(other) else f"{at} is {mine!r:.40} in place of {other!r:.40}"


def _first_in_objects(mine: Any, other: Any, at: str, seen: Seen) -> str | None:
    """Types, functions and the like are what they are; of other objects what they are made from is compared."""
    pair = (id(mine), id(other))
    if mine is other or pair in seen:
        return None
    seen.add(pair)
    try:
        made, wanted = _parts_of_copy(mine), _parts_of_copy(other)
    except Exception:  # noqa: BLE001  # whatever the class of the program raises here
        made = wanted = None
    if made is None or wanted is None:
        return f"{at} is a {type(mine).__name__}, which cannot be compared"
    return first_difference(made, wanted, f"what makes {at}, a {type(mine).__name__},", seen=seen)


def _parts_of_copy(value: Any) -> list[Any] | None:
    """What `copy.copy` would make it from; None where that is not told."""
    parts = value.__reduce_ex__(4)
    if not isinstance(parts, tuple):
        return None
    return [list(part) if isinstance(part, Iterator) else part for part in parts]


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


def _first_in_containers(mine: Any, other: Any, at: str, seen: Seen | None) -> str | None:
    if len(mine) != len(other):
        return f"{at} has {len(mine)} parts in place of {len(other)}"
    if isinstance(mine, dict) and list(mine) != list(other):  # pyright: ignore[reportUnknownArgumentType]
        return f"{at} has other keys"
    parts = _parts(mine, other, at)
    return next(filter(None, (first_difference(a, b, name, seen=seen) for name, a, b in parts)), None)


def _parts(mine: Any, other: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    for key in mine if isinstance(mine, dict) else range(len(mine)):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        yield f"part {key!r} of {at}", mine[key], other[key]
