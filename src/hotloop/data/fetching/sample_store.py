"""Memory for samples, shared by a process and the workers that it forks, and a mapped file for what is too much for it.

The file has no name: it is unlinked when it is made, so that a process that is killed leaves nothing behind that a
later one could believe. A sample is announced in the table only when it is written; the table is read and written under
one lock, so that no process sees half a sample.
"""

import mmap
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from hotloop.data.fetching.sample_codec import decode
from hotloop.errors import NotApplicable

_HEAD = 16  # bytes before the layout: its length, and that of the leaves
_SPARE_DISK = 0.5
_MIB = 2**20
WAIT = 5.0
_WAITS = 12  # not one wait: a process that is stopped meanwhile wakes when its time is over


class SampleArena:
    """At most `memory` bytes of samples in memory and `file` bytes in a file; shared by all data sets of a process."""

    def __init__(self, *, memory: int, file: int) -> None:
        """Raises NotApplicable where processes are not forked here."""
        if "fork" not in multiprocessing.get_all_start_methods():
            raise NotApplicable("processes cannot be forked here, so that workers could not share what is kept")
        self.lock = multiprocessing.get_context("fork").Lock()
        self._limits = (memory, min(file, int(_SPARE_DISK * shutil.disk_usage(tempfile.gettempdir()).free)))
        self._used_map = mmap.mmap(-1, 16)
        self._used = memoryview(self._used_map).cast("Q")
        self._memory = mmap.mmap(-1, max(1, memory))
        self._descriptor, path = tempfile.mkstemp(prefix="hotloop-samples-")
        os.unlink(path)
        os.ftruncate(self._descriptor, max(1, self._limits[1]))
        self._file = mmap.mmap(self._descriptor, max(1, self._limits[1]))

    @contextmanager
    def locked(self) -> Generator[None]:
        """Alone among all processes. Raises NotApplicable where one of them has ended with the lock in its hands."""
        if not any(self.lock.acquire(timeout=WAIT) for _ in range(_WAITS)):
            raise NotApplicable("a process has ended while it kept a sample, so that the cache cannot be read any more")
        try:
            yield
        finally:
            self.lock.release()

    @property
    def used(self) -> tuple[int, int]:
        """Bytes that are kept in memory and in the file."""
        return self._used[0], self._used[1]

    @property
    def limits(self) -> tuple[int, int]:
        """The most bytes that may be; of the disk at most half of what was free."""
        return self._limits

    def keep(self, data: bytes) -> int | None:
        """The place of these bytes; None where they do not fit. To be announced under the lock."""
        size = -(-len(data) // 64) * 64
        with self.locked():
            tier = next((tier for tier in (0, 1) if self._used[tier] + size <= self._limits[tier]), None)
            if tier is None:
                return None
            begin = self._used[tier]
            self._used[tier] += size
        if tier == 0:
            self._memory[begin : begin + len(data)] = data
        elif not _written(self._descriptor, data, begin):
            return None
        return 2 * begin + tier + 1

    def buffer(self, place: int) -> tuple[Any, int]:
        """The map that a place lies in, and where it begins there."""
        place -= 1
        return (self._file if place % 2 else self._memory), place // 2


def _written(descriptor: int, data: bytes, begin: int) -> bool:
    """A full disk is seen here; written through the map it would end the process."""
    try:
        return os.pwrite(descriptor, data, begin) == len(data)
    except OSError:
        return False


class SampleStore:
    """The samples of one data set, by index, in an arena."""

    def __init__(self, arena: SampleArena, length: int) -> None:
        self._arena = arena
        self._map = mmap.mmap(-1, 8 * (length + 2))
        self._table = memoryview(self._map).cast("Q")  # places, then the number of samples and their bytes
        self._length = length

    @property
    def num_kept(self) -> int:
        """How many samples are kept."""
        return self._table[self._length]

    @property
    def num_bytes(self) -> int:
        """The bytes of those samples."""
        return self._table[self._length + 1]

    def places(self, rows: Sequence[int]) -> list[int]:
        """Where the samples of these indices are; 0 for those that are not kept."""
        with self._arena.locked():
            return [self._table[row] for row in rows]

    def sample(self, place: int) -> Any:
        """The sample at a place: views of the arena, which must not be changed."""
        buffer, begin = self._arena.buffer(place)
        layout = int.from_bytes(buffer[begin : begin + 8], "little")
        leaves = begin + _HEAD + -(-layout // 16) * 16
        return decode(buffer[begin + _HEAD : begin + _HEAD + layout], buffer, leaves)

    def keep(self, row: int, layout: bytes, leaves: bytes) -> None:
        """Keep an encoded sample. Raises NotApplicable where it does not fit."""
        head = len(layout).to_bytes(8, "little") + len(leaves).to_bytes(8, "little")
        data = head + layout.ljust(-(-len(layout) // 16) * 16, b" ") + leaves
        place = self._arena.keep(data)
        if place is None:
            raise NotApplicable(self._too_large())
        with self._arena.locked():
            if not self._table[row]:
                self._table[row] = place
                self._table[self._length] += 1
                self._table[self._length + 1] += len(data)

    def check_size(self) -> None:
        """Raise NotApplicable where by the samples so far all of them will not fit."""
        if self.num_kept and self.num_bytes / self.num_kept * self._length > sum(self._arena.limits):
            raise NotApplicable(self._too_large())

    def _too_large(self) -> str:
        whole = self.num_bytes / max(1, self.num_kept) * self._length / _MIB
        memory, file = (limit / _MIB for limit in self._arena.limits)
        return (
            f"its samples do not fit: {self._length} of them take about {whole:.0f} MiB, and at most {memory:.0f} MiB "
            f"in memory and {file:.0f} MiB in a file may be taken; give more, or leave it out"
        )
