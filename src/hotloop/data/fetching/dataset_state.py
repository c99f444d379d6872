"""What a data set's samples may depend on, as a digest for each attribute: is it still as it was?

Followed are plain values, containers, objects with attributes, functions with what they close over, generators, shared
values of multiprocessing, the small tensors and arrays whole and a sample of the elements of large ones, and the plain
globals that `__getitem__` names. Not followed are files, databases, and what lies beyond the first thousand objects.
"""

import ctypes
import functools
import hashlib
import itertools
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor

_MOST = 1000
_DEEPEST = 8
_SMALL = 2048  # elements
_FEW = 64
_numpy: Any = sys.modules.get("numpy")  # torch has imported it where there is one
PLAIN = (bool, int, float, complex, str, bytes)


def state_of(dataset: Any) -> dict[str, str]:
    """A digest for each attribute of the data set, and of one that it wraps, that is not None; and one for globals.

    Equal in processes that are forked from one another as long as nothing changes.
    """
    all_nested = list(nested(dataset))
    found = {
        "dataset." * depth + name: _hashed(value)
        for depth, one in enumerate(all_nested)
        for name, value in attributes(one)
        if value is not None and not (depth + 1 < len(all_nested) and value is all_nested[depth + 1])
    }
    kinds = [type(one) for one in all_nested]
    own = [part for kind in kinds for part in vars(kind).values() if isinstance(part, FunctionType)]
    found["globals"] = _hashed(own)
    return found


def state_of_columns(columns: Mapping[str, Any]) -> dict[str, str]:
    """A digest for each of these values."""
    return {name: _hashed(value) for name, value in columns.items()}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The first attribute that differs; one that was None before, or is None now, is filled on first use."""
    return next((name for name, digest in now.items() if before.get(name, digest) != digest), None)


def open_handles(dataset: Any) -> list[str]:
    """The attributes, of it and of what it holds, that are open files, sockets or connections to a database."""
    return [name for one in nested(dataset) for name, value in attributes(one) if _is_handle(value)]


def _is_handle(value: Any) -> bool:
    if callable(getattr(type(value), "fileno", None)):
        return not getattr(value, "closed", False)
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__}
    return bool(names & _HANDLES)


_HANDLES = {  # by name, so that none of these is imported
    "sqlite3.Connection",
    "sqlite3.Cursor",
    "h5py._hl.files.File",
    "h5py._hl.dataset.Dataset",
    "mmap.mmap",
    "lmdb.Environment",
    "lmdb.Transaction",
    "psycopg.Connection",
    "zipfile.ZipFile",
    "tarfile.TarFile",
    "tempfile._TemporaryFileWrapper",
}


def nested(dataset: Any) -> Iterator[Any]:
    """The data set, and those that it wraps."""
    for _ in range(_DEEPEST):
        yield dataset
        dataset = getattr(dataset, "dataset", None)
        if dataset is None:
            return


def attributes(value: Any) -> list[tuple[str, Any]]:
    """What an object holds by name, in its `__dict__` and in slots."""
    held = getattr(value, "__dict__", None)
    slots = [name for kind in type(value).__mro__ for name in _names(vars(kind).get("__slots__", ()))]
    found = dict(held) if isinstance(held, dict) else {}
    return [*found.items(), *((name, getattr(value, name, None)) for name in slots if name not in found)]


def _names(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _hashed(value: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    _Walk(digest).take(value, 0)
    return digest.hexdigest()


class _Walk:
    """Adds what it meets to a digest, each object once."""

    def __init__(self, digest: Any) -> None:
        self._digest = digest
        self._seen: dict[int, Any] = {}

    def take(self, value: Any, depth: int) -> None:
        """Add one value and what it holds."""
        if isinstance(value, PLAIN):
            self._add(f"{type(value).__qualname__} {value!r}")
        elif value is not None and len(self._seen) < _MOST and depth < _DEEPEST and id(value) not in self._seen:
            self._seen[id(value)] = value
            self._take_object(value, depth + 1)

    def _take_object(self, value: Any, depth: int) -> None:
        kind = type(value).__qualname__
        if isinstance(value, Tensor):
            self._tensor(value)
        elif _numpy is not None and isinstance(value, (_numpy.ndarray, _numpy.generic)):
            self._array(_numpy.asarray(value))
        elif isinstance(value, (list, tuple)):
            self._add(kind)
            self._items(value, depth)
        elif isinstance(value, Mapping):
            self._add(f"{kind} {len(value)}")
            self._items([part for item in itertools.islice(value.items(), _FEW) for part in item], depth)
        elif isinstance(value, (set, frozenset)):
            self._items(sorted(map(repr, value)) if len(value) <= _FEW else [len(value)], depth)
        elif (state := _state_of_generator(value)) is not None:
            self._add(state)
        elif isinstance(value, (ctypes._SimpleCData, ctypes.Array)):  # pyright: ignore[reportPrivateUsage]
            self._add(bytes(value))
        elif parts := list(_parts(value)):  # what has none is like None: it may be opened on first use
            self._add(kind)
            self._items(parts, depth)

    def _items(self, values: Any, depth: int) -> None:
        """All of a few, or some of many."""
        self._add(str(len(values)))
        step = max(1, len(values) // _FEW)
        for value in values[::step]:
            self.take(value, depth)

    def _tensor(self, value: Tensor) -> None:
        self._add(f"{value.dtype} {tuple(value.shape)} {value.layout} {value.device}")
        if not value.is_inference():
            self._add(str(value._version))
        if value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized and value.numel():
            flat = value.detach().resolve_conj().resolve_neg()
            flat = flat.reshape(-1) if value.numel() <= _SMALL or value.is_contiguous() else flat[:1].reshape(-1)[:_FEW]
            self._add(repr(_some(flat, value.numel()).tolist()))

    def _array(self, value: Any) -> None:
        self._add(f"{value.dtype} {value.shape}")
        if value.size and (value.size <= _SMALL or value.flags.c_contiguous):
            self._add(repr(_some(value.reshape(-1), value.size).tolist()))

    def _add(self, what: str | bytes) -> None:
        self._digest.update(what.encode("utf-8", "surrogatepass") if isinstance(what, str) else what)
        self._digest.update(b"\0")


def _some(flat: Any, count: int) -> Any:
    return flat if count <= _SMALL else flat[:: max(1, count // _FEW)]


def _state_of_generator(value: Any) -> str | bytes | None:
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, random.Random) and type(value) is not random.SystemRandom:
        return repr(value.getstate())
    if _numpy is not None and isinstance(value, (_numpy.random.Generator, _numpy.random.RandomState)):
        generator: Any = value
        is_new = isinstance(value, _numpy.random.Generator)
        return repr(generator.bit_generator.state if is_new else generator.get_state())
    return None


def _parts(value: Any) -> Iterator[Any]:
    """What an object, or a function, depends on; nothing for files, modules and classes."""
    if isinstance(value, FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif not isinstance(value, (type, ModuleType)) and not _is_handle(value):
        for name, part in attributes(value):
            yield from (name, part)


def _parts_of_function(function: FunctionType) -> Iterator[Any]:
    yield function.__code__.co_code
    yield repr(function.__code__.co_consts)
    yield function.__defaults__
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # it is empty yet
            continue
    held = function.__globals__
    for name in function.__code__.co_names:
        value = held.get(name)
        is_own = isinstance(value, FunctionType) and value.__globals__ is held
        if is_own or isinstance(value, (*PLAIN, list, dict, tuple, set)) or _state_of_generator(value) is not None:
            yield value
