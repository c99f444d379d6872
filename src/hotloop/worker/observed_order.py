"""Number and order: what each root gets, which samples are fetched, and how far the random generators have moved."""

import random
import sys
import weakref
import zlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import dataloader

from hotloop.worker.observed_tensors import sketch

_BATCHES_AT_MOST = 4096


class ObservedOrder:
    """Inputs of roots and positions of random generators by step, and the batches of each pass over a loader."""

    def __init__(self) -> None:
        self.inputs: list[list[list[float]]] = []
        self.positions: list[int] = []
        self._calls: list[list[float]] = []
        self._passes: list[dict[str, Any]] = []

    def called(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A root is called for training with these arguments: its first tensor stands for the batch."""
        first = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        if first is not None and not nn.parameter.is_lazy(first):
            self._calls.append([float(first.numel()), *sketch(first, "inputs")])

    def advance(self) -> None:
        """A step has ended."""
        self.inputs.append(self._calls)
        self._calls = []
        self.positions.append(_positions())

    def follow_loaders(self) -> None:
        """Have the samples of all loaders of this process recorded, in the order in which they are asked for."""
        kind: Any = dataloader._BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]
        single: Any = dataloader._SingleProcessDataLoaderIter  # pyright: ignore[reportPrivateUsage]
        original, reset, fetch = kind._next_index, kind._reset, single._next_data
        under_way: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()
        asked: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

        def next_index(iterator: Any) -> Any:
            try:
                index = original(iterator)
            except StopIteration:
                if iterator in under_way:
                    under_way[iterator]["ended"] = True
                raise
            found = under_way.get(iterator)
            if found is None or found["ended"]:
                found = under_way[iterator] = {"batches": [], "ended": False, "draws": not isinstance(iterator, single)}
                self._passes.append(found)
            if len(found["batches"]) < _BATCHES_AT_MOST:
                found["batches"].append(_batch(index))
                asked[iterator] = _positions()
            return index

        def next_data(iterator: Any) -> Any:
            data = fetch(iterator)
            found = under_way.get(iterator)
            if found is not None and not found["draws"]:
                found["draws"] = asked.get(iterator) != _positions()
            return data

        def start_again(iterator: Any, *args: Any, **kwargs: Any) -> None:
            under_way.pop(iterator, None)  # persistent workers keep their iterator
            reset(iterator, *args, **kwargs)

        kind._next_index, kind._reset = next_index, start_again
        single._next_data = next_data

    def to_data(self) -> dict[str, Any]:
        """What was seen."""
        return {"inputs": self.inputs, "positions": self.positions, "passes": self._passes}


def _batch(index: Any) -> list[int]:
    """Number of samples, their checksum in order, and one that does not see the order."""
    samples = list(index) if isinstance(index, (list, tuple)) else [index]
    sums = [zlib.crc32(repr(sample).encode()) for sample in samples]
    return [len(samples), zlib.crc32(repr(sums).encode()), sum(sums)]


def _positions() -> int:
    """A checksum of where torch's, Python's and numpy's generators stand."""
    states = [torch.random.default_generator.get_state().numpy().tobytes(), repr(random.getstate()).encode()]
    if torch.cuda.is_initialized():
        states += [torch.cuda.get_rng_state(device).numpy().tobytes() for device in range(torch.cuda.device_count())]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        states.append(repr(numpy.random.get_state()[1:3]).encode() + numpy.random.get_state()[1].tobytes())
    return zlib.crc32(b"".join(states))
