"""Counts, and a reason to refuse, that a process shares with the loader workers that it forks."""

import mmap
from enum import IntEnum

import torch.utils.data

_SLOTS = 256  # one for the program's own process and one for each worker
_COUNTS = 8  # places in a slot
_TEXT = 1000
_FLAG = _SLOTS * _COUNTS * 8


class Count(IntEnum):
    """What is counted."""

    FETCHED = 0  # batches (or samples, of a cache) that came the other way
    COMPARED = 1  # of them, those that were held against the plain way
    PLAIN = 2  # batches that had to come the plain way
    HITS = 3
    MISSES = 4


class SharedCounts:
    """Counts by process, so that none overwrites another's; memory that is mapped before workers are forked.

    Workers that are started anew in each epoch go on with the counts of those of the same number before them.
    """

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, _FLAG + 8 + _TEXT)
        self._counts = memoryview(self._map)[:_FLAG].cast("Q")

    def add(self, count: Count, number: int = 1) -> None:
        """Count so many more, in this process."""
        self._counts[_slot() + count] += number

    def own(self, count: Count) -> int:
        """What this process has counted."""
        return self._counts[_slot() + count]

    def total(self, count: Count) -> int:
        """What all processes have counted."""
        return sum(self._counts[count::_COUNTS])

    def refuse(self, reason: str) -> None:
        """From now on no process goes the other way; the first reason is kept."""
        if self._map[_FLAG]:
            return
        text = reason.encode()[:_TEXT]
        self._map[_FLAG + 8 : _FLAG + 8 + len(text)] = text
        self._map[_FLAG] = 1

    @property
    def refused(self) -> str | None:
        """Why no process goes the other way; None where they may."""
        if not self._map[_FLAG]:
            return None
        return self._map[_FLAG + 8 :].rstrip(b"\0").decode(errors="ignore")


def _slot() -> int:
    worker = torch.utils.data.get_worker_info()
    return 0 if worker is None else _COUNTS * (1 + worker.id % (_SLOTS - 1))
