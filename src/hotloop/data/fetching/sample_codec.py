"""Samples as bytes and back: tensors, arrays, numbers and text, in tuples, lists and dicts. Nothing is pickled.

A sample is a layout (JSON: what lies where) and the bytes of its leaves, each at a multiple of 16.
"""

import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hotloop.errors import NotApplicable

_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
_ARRAYS: tuple[type, ...] = (_numpy.ndarray,) if _numpy else ()
_SCALARS: tuple[type, ...] = (_numpy.generic,) if _numpy else ()
_ALIGNMENT = 16
_MOST_LAYOUTS = 4096
_NUMBERS = {int: "q", float: "d", bool: "?"}

Buffer = Any  # an mmap
Read = Callable[[Buffer, int], Any]  # a part of a sample, from a buffer and the place at which the sample begins


@dataclass
class Encoded:
    """The leaves of a sample under way: their bytes, and how far they reach."""

    parts: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    size: int = 0

    def add(self, data: bytes) -> int:
        """Where these bytes begin."""
        begin = self.size
        self.parts.append((begin, data))
        self.size = begin + -(-len(data) // _ALIGNMENT) * _ALIGNMENT
        return begin

    def joined(self) -> bytes:
        """All of them, padded."""
        out = bytearray(self.size)
        for begin, data in self.parts:
            out[begin : begin + len(data)] = data
        return bytes(out)


def encode(sample: Any) -> tuple[bytes, bytes]:
    """Layout and leaves. Raises NotApplicable for what would not come back as it was."""
    found = Encoded()
    layout = json.dumps(_layout(sample, found)).encode()
    return layout, found.joined()


def _layout(value: Any, out: Encoded) -> list[Any]:
    if value is None:
        return ["none"]
    for is_such, layout in (
        (type(value) is Tensor, _tensor_layout),
        (isinstance(value, (*_ARRAYS, *_SCALARS)), _array_layout),
        (type(value) in (int, float, bool), _number_layout),
        (type(value) in (str, bytes), _text_layout),
    ):
        if is_such:
            return layout(value, out)
    return _container_layout(value, out)


def _array_layout(value: Any, out: Encoded) -> list[Any]:
    if value.dtype.hasobject or not value.flags.c_contiguous or type(value) not in (*_ARRAYS, value.dtype.type):
        raise NotApplicable(f"its samples hold a {type(value).__name__} of {value.dtype} that is not plain and dense")
    if isinstance(value, _SCALARS):
        return ["scalar", value.dtype.str, out.add(value.tobytes())]
    return ["array", value.dtype.str, list(value.shape), out.add(value.tobytes())]


def _number_layout(value: Any, out: Encoded) -> list[Any]:
    if type(value) is int and not _fits(value):
        raise NotApplicable(f"its samples hold the integer {value}, which takes more than 64 bits")
    kind = _NUMBERS[type(value)]
    return ["number", kind, out.add(struct.pack(kind, value))]


def _text_layout(value: Any, out: Encoded) -> list[Any]:
    data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return ["bytes" if isinstance(value, bytes) else "text", len(data), out.add(data)]


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _container_layout(value: Any, out: Encoded) -> list[Any]:
    kind = type(value)
    if kind is list and value and all(type(part) is int and _fits(part) for part in value):
        return ["integers", len(value), out.add(struct.pack(f"{len(value)}q", *value))]
    if kind in (list, tuple):
        return [kind.__name__, [_layout(part, out) for part in value]]
    if kind is dict and all(type(key) in (str, int) for key in value):
        return ["dict", list(value), [_layout(part, out) for part in value.values()]]
    raise NotApplicable(f"its samples hold a {kind.__name__}, which is not kept: tensors, arrays, numbers and text are")


def _tensor_layout(value: Tensor, out: Encoded) -> list[Any]:
    is_plain = value.layout is torch.strided and value.device.type == "cpu" and not value.requires_grad
    if not is_plain or value.is_quantized or value.is_neg() or value.is_conj() or not _is_dense(value):
        raise NotApplicable("its samples hold a tensor that is not plain and dense in memory on the CPU")
    flat = value.as_strided((value.numel(),), (1,), value.storage_offset()).view(torch.uint8)
    data = bytes(flat.numpy()) if _numpy else bytes(flat.tolist())
    return ["tensor", str(value.dtype).removeprefix("torch."), list(value.shape), list(value.stride()), out.add(data)]


def _is_dense(value: Tensor) -> bool:
    """Whether its elements fill a stretch of memory, in whatever order of dimensions."""
    if not value.numel():
        return True
    wanted = 1
    for stride, size in sorted(zip(value.stride(), value.shape, strict=True)):
        if size != 1 and stride != wanted:
            return False
        wanted *= size
    return True


_readers: dict[bytes, Read] = {}


def decode(layout: bytes, buffer: Buffer, begin: int) -> Any:
    """The sample whose leaves begin at a place of a buffer; its tensors and arrays are views of that memory."""
    read = _readers.get(layout)
    if read is None:
        if len(_readers) >= _MOST_LAYOUTS:
            _readers.clear()
        read = _readers[layout] = _reader(json.loads(layout))
    return read(buffer, begin)


def _reader(layout: list[Any]) -> Read:
    kind, *rest = layout
    if kind in ("list", "tuple", "dict"):
        return _container_reader(layout)
    if kind == "none":
        return lambda buffer, begin: None
    return _LEAVES[kind](*rest)


def _array_reader(dtype: str, shape: list[int], at: int) -> Read:
    count = _product(shape)
    if not count:
        return lambda buffer, begin: _numpy.empty(shape, dtype)
    return lambda buffer, begin: _numpy.frombuffer(buffer, dtype, count, begin + at).reshape(shape)


def _scalar_reader(dtype: str, at: int) -> Read:
    return lambda buffer, begin: _numpy.frombuffer(buffer, dtype, 1, begin + at)[0]


def _number_reader(kind: str, at: int) -> Read:
    return lambda buffer, begin: struct.unpack_from(kind, buffer, begin + at)[0]


def _integers_reader(length: int, at: int) -> Read:
    return lambda buffer, begin: list(struct.unpack_from(f"{length}q", buffer, begin + at))


def _text_reader(length: int, at: int) -> Read:
    return lambda buffer, begin: buffer[begin + at : begin + at + length].decode("utf-8", "surrogatepass")


def _bytes_reader(length: int, at: int) -> Read:
    return lambda buffer, begin: bytes(buffer[begin + at : begin + at + length])


def _container_reader(layout: list[Any]) -> Read:
    reads = [_reader(part) for part in layout[-1]]
    if layout[0] == "dict":
        keys = layout[1]
        return lambda buffer, begin: {key: read(buffer, begin) for key, read in zip(keys, reads, strict=True)}
    if layout[0] == "tuple":
        return lambda buffer, begin: tuple([read(buffer, begin) for read in reads])
    return lambda buffer, begin: [read(buffer, begin) for read in reads]


def _tensor_reader(dtype: str, shape: list[int], stride: list[int], at: int) -> Read:
    kind, count = getattr(torch, dtype), _product(shape)
    if not count:
        return lambda buffer, begin: torch.empty_strided(shape, stride, dtype=kind)
    return lambda buffer, begin: torch.frombuffer(buffer, dtype=kind, count=count, offset=begin + at).as_strided(
        shape, stride
    )


_LEAVES: dict[str, Callable[..., Read]] = {
    "tensor": _tensor_reader,
    "array": _array_reader,
    "scalar": _scalar_reader,
    "number": _number_reader,
    "integers": _integers_reader,
    "text": _text_reader,
    "bytes": _bytes_reader,
}


def _product(shape: Any) -> int:
    return torch.Size(shape).numel()


def copied(sample: Any) -> Any:
    """The sample with memory of its own, for a program that may change it."""
    if isinstance(sample, Tensor):
        return sample.clone()
    if isinstance(sample, _ARRAYS):
        return sample.copy()
    if isinstance(sample, (list, tuple)):
        return type(sample)(copied(part) for part in sample)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(sample, dict):
        return {key: copied(part) for key, part in sample.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return sample
