"""Loader workers that stay from one epoch to the next, as long as their loader would start the same ones anew.

A new iterator draws a seed for its workers and asks the sampler twice. One that is used again does both too, so that
the program's random stream, and the order that its sampler draws from it, stay what they were.
"""

import sys
from typing import Any

import torch
from torch.utils.data import DataLoader, dataloader

from hotloop.data.fetching.dataset_state import changed, state_of
from hotloop.data.fetching.late_start import LateWorkers


class KeptWorkers(int):
    """A loader's `persistent_workers` of ours: true, and the state that its data set had when workers were started."""

    state: dict[str, str] | None = None

    def __new__(cls) -> "KeptWorkers":
        return super().__new__(cls, 1)

    def __repr__(self) -> str:
        return "True"

    def __reduce__(self) -> Any:
        return bool, (True,)  # nothing of ours is in what a program saves


def kept_workers() -> KeptWorkers:
    """What a loader is built with in place of `persistent_workers=True`."""
    _hook()
    return KeptWorkers()


def _hook() -> None:
    base: Any = dataloader._BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    kind: Any = DataLoader
    iterate, reset = kind.__iter__, base._reset
    if hasattr(iterate, "keeps_workers"):
        return

    def iterate_keeping(loader: Any) -> Any:
        kept = loader.persistent_workers
        if isinstance(kept, KeptWorkers):
            now = state_of(loader.dataset)
            is_used = loader._iterator is not None and sys.getrefcount(loader._iterator) > 2  # it and the argument
            if is_used or (kept.state is not None and _has_changed(kept.state, now)):
                loader._iterator = None  # another loop is under way, or the workers would read an old data set
            if loader._iterator is None or not _is_at_its_end(loader._iterator):
                loader._iterator, kept.state = None, now
        return iterate(loader)

    def reset_as_new(iterator: Any, loader: Any, first_iter: bool = False) -> None:
        reset(iterator, loader, first_iter)
        if isinstance(loader.persistent_workers, KeptWorkers) and not first_iter:
            torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
            if not isinstance(loader.num_workers, LateWorkers):
                iterator._sampler_iter = iter(iterator._index_sampler)

    iterate_keeping.keeps_workers = True  # pyright: ignore[reportFunctionMemberAccess]
    kind.__iter__ = iterate_keeping
    base._reset = reset_as_new


def _has_changed(before: dict[str, str], now: dict[str, str]) -> bool:
    return before.keys() != now.keys() or changed(before, now) is not None


def _is_at_its_end(iterator: Any) -> bool:
    """Whether all that it has asked of its workers has come; otherwise the program has left its last loop early."""
    return iterator._rcvd_idx >= iterator._send_idx
