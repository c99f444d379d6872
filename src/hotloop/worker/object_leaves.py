"""Walks through whatever a program saves, down to its numbers and tensors."""

import datetime
import enum
import itertools
import pathlib
import types
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AnySet
from typing import Any

import torch
from torch import Tensor

from hotloop.worker.observed_tensors import sketch
from hotloop.worker.saved_object import UNKNOWN, SavedLeaf

_MOST_LEAVES = 50_000
_DEEPEST = 24
_LONGEST_TEXT = 60
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)
_ATOMS = (type(None), bool, int, str, bytes, complex, enum.Enum, pathlib.PurePath, datetime.date, datetime.timedelta)
_OF_TORCH = (torch.dtype, torch.device, torch.layout, torch.memory_format)

Path = tuple[Any, ...]
Starts = Mapping[tuple[str, tuple[int, ...]], Sequence[float]]


def leaves_of(value: Any, starts: Starts) -> dict[str, SavedLeaf]:
    """All leaves of an object, by path.

    A tensor whose last key names one in `starts`, of the same shape, is told as its distance from there: how far
    training has moved it, which its size would hide. `starts` are sketches by name and shape.
    """
    walk = _Walk(starts)
    walk.visit(value, ())
    return walk.leaves


def plain_leaves_of(value: Any) -> dict[str, SavedLeaf]:
    """Only numbers and texts in plain containers, for which nothing of the program is called."""
    walk = _Walk({}, is_passive=True)
    walk.visit(value, ())
    return {path: leaf for path, leaf in walk.leaves.items() if leaf.can_be_compared}


def start_sketch(tensor: Tensor) -> list[float]:
    """What `starts` of `leaves_of` holds of a tensor."""
    return sketch(tensor, "saved")


class _Walk:
    def __init__(self, starts: Starts, *, is_passive: bool = False) -> None:
        self.leaves: dict[str, SavedLeaf] = {}
        self._starts = starts
        self._is_passive = is_passive
        self._open: set[int] = set()

    def visit(self, value: Any, path: Path) -> None:
        if len(self.leaves) >= _MOST_LEAVES:
            self.leaves["..."] = SavedLeaf(kind=f"{UNKNOWN}more than {_MOST_LEAVES} values")
        elif isinstance(value, Tensor):
            if not self._is_passive:
                self._keep(path, _leaf_or_reason(lambda: self._of_tensor(value, path)))
        elif isinstance(value, float):
            self._keep(path, SavedLeaf(kind="float", number=value))
        elif (text := _text(value)) is not None:
            self._keep(path, SavedLeaf(kind=_name(type(value)), text=_short(text)))
        else:
            self._visit_parts(value, path)

    def _visit_parts(self, value: Any, path: Path) -> None:
        if id(value) in self._open or len(path) > _DEEPEST:
            self._keep(path, SavedLeaf(kind="a part that contains itself"))
            return
        self._open.add(id(value))
        if isinstance(value, Mapping):
            for key, part in value.items():
                self.visit(part, (*path, key))
        elif isinstance(value, (list, tuple, deque)):
            self._visit_items(list(value), path)
        elif isinstance(value, AnySet):
            self._keep(path, SavedLeaf(kind=_name(type(value)), text=_short(repr(sorted(map(repr, value))))))
        elif not self._is_passive:
            self._visit_object(value, path)
        self._open.discard(id(value))

    def _visit_items(self, items: list[Any], path: Path) -> None:
        if len(items) > 1 and all(type(item) is float for item in items):
            self._visit_numbers(torch.tensor(items, dtype=torch.float64), path)
        elif len(items) > 1 and all(type(item) in (int, bool) for item in items):
            self._keep(path, SavedLeaf(kind=f"{len(items)} integers", text=_short(repr(items))))
        else:
            self._keep(path, SavedLeaf(kind=f"{len(items)} items"))
            for index, item in enumerate(items):
                self.visit(item, (*path, index))

    def _visit_numbers(self, numbers: Tensor, path: Path) -> None:
        found = tuple(_rounded(sketch(numbers, "saved")))
        self._keep(path, SavedLeaf(kind=f"{len(numbers)} numbers", group=_group(path), sketch=found))

    def _visit_object(self, value: Any, path: Path) -> None:
        kind = type(value)
        if kind.__module__ == "numpy":
            self._visit_numpy(value, path)
            return
        self._keep((*path, "(class)"), SavedLeaf(kind="class", text=_name(kind)))
        if callable(getattr(value, "state_dict", None)):
            try:
                state = value.state_dict()
            except Exception as error:  # noqa: BLE001  # the program's own code, which nobody has asked for this
                self._keep(path, SavedLeaf(kind=f"{UNKNOWN}{_name(kind)}, whose state_dict raises {error!r}"))
                return
            self.visit(state, path)
        elif hasattr(value, "__dict__") and not hasattr(kind, "__slots__"):
            for name, part in vars(value).items():
                self.visit(part, (*path, name))
        else:
            self._keep(path, SavedLeaf(kind=UNKNOWN + _name(kind)))

    def _visit_numpy(self, value: Any, path: Path) -> None:
        if not hasattr(value, "dtype") or value.dtype.kind not in "fiubc":
            self._keep(path, SavedLeaf(kind=f"{UNKNOWN}{_name(type(value))} of {getattr(value, 'dtype', 'objects')}"))
        elif value.ndim:
            self.visit(torch.from_numpy(value.copy()), path)
        else:
            self.visit(value.item(), path)

    def _of_tensor(self, tensor: Tensor, path: Path) -> SavedLeaf:
        kind = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
        if not tensor.numel():
            return SavedLeaf(kind=kind)
        if not (tensor.is_floating_point() or tensor.is_complex()):
            if tensor.dtype is torch.uint8 and tensor.numel() == torch.default_generator.get_state().numel():
                return SavedLeaf(kind="state of a random generator")  # compared at every step, by itself
            data = tensor.detach().cpu().contiguous().view(-1).numpy().tobytes()
            return SavedLeaf(kind=kind, text=str(zlib.crc32(data)))
        found, start = sketch(tensor, "saved"), self._start_of(path, tensor)
        if start is None:
            return SavedLeaf(kind=kind, group=_group(path), sketch=tuple(_rounded(found)))
        moved = [now - before for now, before in zip(found, start, strict=True)]
        return SavedLeaf(kind=kind, group=f"{_group(path)} since the start", sketch=tuple(_rounded(moved)))

    def _start_of(self, path: Path, tensor: Tensor) -> Sequence[float] | None:
        """A copy may hold the same under a longer name: `module.0.weight` is 0.weight of a moving average."""
        parts = str(path[-1]).split(".") if path else []
        names = (".".join(parts[index:]) for index in range(len(parts)))
        found = (self._starts.get((name, tuple(tensor.shape))) for name in names)
        return next((start for start in found if start is not None), None)

    def _keep(self, path: Path, leaf: SavedLeaf) -> None:
        self.leaves["".join(f"[{key!r}]" for key in path) or "it"] = leaf


def _leaf_or_reason(read: Callable[[], SavedLeaf]) -> SavedLeaf:
    try:
        return read()
    except (RuntimeError, NotImplementedError, TypeError) as error:  # a tensor of a class of its own, a quantized one
        return SavedLeaf(kind=f"{UNKNOWN}a tensor ({str(error).splitlines()[0]})")


def _text(value: Any) -> str | None:
    if isinstance(value, _NAMED):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"
    return repr(value) if isinstance(value, (*_ATOMS, *_OF_TORCH, range)) else None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{len(text)} characters, checksum {zlib.crc32(text.encode())}"


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _group(path: Path) -> str:
    """The vector that a tensor belongs to: all of the same last name, whatever the numbers on the way there."""
    *outer, last = path or ("it",)
    numbered = last.split(".") if isinstance(last, str) else ["*"]
    kept = ["*" if isinstance(key, int) else str(key) for key in itertools.chain(outer, numbered[-1:])]
    return " ".join(kept)


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.9g}") for value in values]
