"""Which line of a data set is at work, by samples of the stack that a timer's signal takes every millisecond.

Not by a thread that looks at the main thread's frames: a frame that is looked at keeps what is in it alive, and
torch's guards must be undone in the thread, and at the moment, in which their frame ends.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from hotloop.diagnose.call_sites import NOWHERE, Place, Places

_PERIOD = 0.001
_FETCH = "/torch/utils/data/_utils/fetch.py"


class Stack:
    """Samples by line of the data set's own, and what that line called; NOWHERE is what torch itself does (collate)."""

    def __init__(self, places: Places) -> None:
        self.lines: Counter[tuple[Place, str]] = Counter()
        self._places = places

    @property
    def samples(self) -> int:
        """Samples that fell into a fetch."""
        return self.lines.total()

    def sample(self, frame: FrameType | None) -> None:
        """Look at one stack; outside of a fetch it counts for nothing."""
        if (seen := self._stage(frame)) is not None:
            self.lines[seen] += 1

    def _stage(self, frame: FrameType | None) -> tuple[Place, str] | None:
        """The line of the data set's own that is at work, outermost inside of the fetch, and what it called."""
        own: tuple[Place, str] | None = None
        callee = ""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.endswith(_FETCH):
                return own or (NOWHERE, callee or "collate")
            if self._places.is_own(file):
                own = (Place(self._places.original(file), frame.f_lineno), callee)
            callee = frame.f_code.co_name
            frame = frame.f_back
        return None


class Timer:
    """The real-time timer of this process, taken while it is nobody's."""

    def __init__(self) -> None:
        self._before: Any = None

    @property
    def is_free(self) -> bool:
        """Whether this thread may take it, and the program does not use it."""
        if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
            return False
        handler = signal.getsignal(signal.SIGALRM)
        return handler in (signal.SIG_DFL, None) or isinstance(handler, _Handler)  # a fork inherits ours

    def start(self, look: Callable[[FrameType | None], None]) -> None:
        """Call `look` with the frame at work every millisecond."""
        self._before = signal.signal(signal.SIGALRM, _Handler(look))
        signal.siginterrupt(signal.SIGALRM, False)  # what C code reads or waits for goes on
        signal.setitimer(signal.ITIMER_REAL, _PERIOD, _PERIOD)

    def pause(self) -> None:
        """No more signals; the handler stays."""
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def stop(self) -> None:
        """No more; the handler is what it was before."""
        self.pause()
        signal.signal(signal.SIGALRM, self._before)


class _Handler:
    def __init__(self, look: Callable[[FrameType | None], None]) -> None:
        self._look = look

    def __call__(self, _number: int, frame: FrameType | None) -> None:
        self._look(frame)
