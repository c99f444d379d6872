"""How many workers of a session may be alive at once: as many as fit into memory and do not see each other's files."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from hotloop.machine.memory import FreeMemory, free_memory
from hotloop.measurement import Memory

_SHARE = 0.8  # of what is free; the rest is for what other programs take meanwhile
_CONTEXT = 512 * 2**20  # device memory of a process beside that of torch's allocator: context and kernels


class Admission:
    """What one worker takes, as far as it is known from those that ran, and how many more may start.

    `free` says what memory is free now. `taken` is the largest that any worker took; `share_files` whether two that
    were alive together have made the same file outside of their scratch copies.
    """

    def __init__(self, free: Callable[[], FreeMemory] = free_memory) -> None:
        self.taken = Memory()
        self.share_files = False
        self._free = free
        self._idle: FreeMemory | None = None
        self._alive = 0
        self._knows_device = False
        self._changed = threading.Condition()

    def learn(self, memory: Memory, *, with_device: bool) -> None:
        """A worker has taken this much; `with_device` where device memory was looked at too."""
        with self._changed:
            self.taken = Memory.largest([self.taken, memory])
            self._knows_device = self._knows_device or with_device
            self._changed.notify_all()

    def at_once(self) -> int | None:
        """How many workers fit into four fifths of what is free, at least 1; None while it is not known what one takes.

        To be asked while none is alive.
        """
        free = self._free()
        if not self.taken.rss or (free.device is not None and not self._knows_device):
            return None
        fitting = int(_SHARE * free.host) // self.taken.rss
        if free.device is not None and self.taken.cuda_reserved:
            fitting = min(fitting, int(_SHARE * free.device) // (self.taken.cuda_reserved + _CONTEXT))
        return max(1, fitting)

    @contextmanager
    def admitted(self) -> Generator[None]:
        """Wait until one worker more may be alive, which it is inside."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            self._alive += 1
        try:
            yield
        finally:
            with self._changed:
                self._alive -= 1
                self._changed.notify_all()

    def _has_room(self) -> bool:
        if not self._alive:
            self._idle = self._free()
            return True
        if self._idle is None or not self.taken.rss or self.share_files:
            return False
        if (self._alive + 1) * self.taken.rss > _SHARE * self._idle.host:
            return False
        if self._idle.device is None:
            return True
        now = self._free().device or 0
        return (self._idle.device - now) / self._alive <= _SHARE * now
