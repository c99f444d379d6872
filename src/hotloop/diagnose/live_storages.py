"""Bytes of the storages that are alive, by what they hold, and the moment at which they were most."""

import weakref
from collections.abc import Callable

import torch
from torch import Tensor

CATEGORIES: tuple[str, ...] = ("parameters", "buffers", "gradients", "optimizer", "activations", "temporaries")


class LiveStorages:
    """Counts each storage once, from when it is seen until it is freed; views and aliases add nothing.

    `at_peak` and `most` are bytes by category: when all together were most, and the most that each one ever was.
    """

    def __init__(self) -> None:
        self.live: dict[str, int] = dict.fromkeys(CATEGORIES, 0)
        self.at_peak: dict[str, int] = dict.fromkeys(CATEGORIES, 0)
        self.most: dict[str, int] = dict.fromkeys(CATEGORIES, 0)
        self.total = 0
        self.peak = 0
        self._known: dict[int, tuple[str, int]] = {}

    def add(self, tensor: Tensor, category: str, *, is_moved: bool = False) -> int:
        """Count the storage of a tensor; how many bytes are new in this category (0: known, or no storage of its own).

        A known storage stays in the category in which it was first seen, unless `is_moved`.
        """
        storage = _storage(tensor)
        if storage is None:
            return 0
        key = storage._cdata  # pyright: ignore[reportPrivateUsage]
        before, size = self._known.get(key, ("", storage.nbytes()))
        if before == category or (before and not is_moved):
            return 0
        if before:
            self.live[before] -= size
        else:
            weakref.finalize(storage, self._freed, key).atexit = False
            self.total += size
        self._known[key] = (category, size)
        self.live[category] += size
        self.most[category] = max(self.most[category], self.live[category])
        return size

    def category_of(self, tensor: Tensor) -> str:
        """Where the storage of a tensor is counted; empty where it is not."""
        storage = _storage(tensor)
        return "" if storage is None else self._known.get(storage._cdata, ("", 0))[0]  # pyright: ignore[reportPrivateUsage]

    def note_peak(self) -> bool:
        """Whether there is now more than ever before; `peak` and `at_peak` then say how much."""
        if self.total <= self.peak:
            return False
        self.peak = self.total
        self.at_peak = dict(self.live)
        return True

    def _freed(self, key: int) -> None:
        category, size = self._known.pop(key)
        self.live[category] -= size
        self.total -= size


def _storage(tensor: Tensor) -> torch.UntypedStorage | None:
    """None for a tensor that is not strided (sparse, nested, fake): its parts are counted where they are made."""
    if tensor.layout is not torch.strided or tensor.is_meta:
        return None
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):  # subclasses that only wrap others
        return None


class SavedForBackward:
    """A pack hook that hands out what autograd keeps, unchanged: `saved_tensors_hooks(saved.pack, saved.unpack)`."""

    def __init__(self, note: Callable[[Tensor], None]) -> None:
        self._note = note

    def pack(self, tensor: Tensor) -> Tensor:
        """Tell of it, and keep it as it is."""
        self._note(tensor)
        return tensor

    @staticmethod
    def unpack(tensor: Tensor) -> Tensor:
        """What was packed."""
        return tensor
