"""Which line of a data set is at work, by samples of the stack that a timer's signal takes each millisecond.

Not by a thread that looks at the main thread's frames: a frame that is looked at keeps what is in it alive, and
torch's guards must be undone in the thread, and at the moment, in which their frame ends.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from hotloop.diagnose.call_sites import NOWHERE, CallSites, SourceLine

_PERIOD = 0.001
_FETCH = "/torch/utils/data/_utils/fetch.py"


class StackSamples:
    """Samples inside of a fetch, by line of the data set's own and what that line called.

    NOWHERE is what torch itself does (collate).
    """

    def __init__(self, call_sites: CallSites) -> None:
        self.lines: Counter[tuple[SourceLine, str]] = Counter()
        self._call_sites = call_sites

    def sample(self, frame: FrameType | None) -> None:
        """Count the outermost line of the data set's own inside of the fetch; outside of a fetch, nothing."""
        own: tuple[SourceLine, str] | None = None
        callee = ""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.endswith(_FETCH):
                self.lines[own or (NOWHERE, callee or "collate")] += 1
                return
            if self._call_sites.is_users(file):
                own = (SourceLine(self._call_sites.original(file), frame.f_lineno), callee)
            callee = frame.f_code.co_name
            frame = frame.f_back


class SampleTimer:
    """The real-time timer of this process, used while the program does not use it."""

    def __init__(self) -> None:
        self._before: Any = None
        self._handler: _Handler | None = None

    @property
    def is_free(self) -> bool:
        """Whether this thread may use it, and the program does not."""
        if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
            return False
        handler = signal.getsignal(signal.SIGALRM)
        return handler in (signal.SIG_DFL, None) or isinstance(handler, _Handler)  # a fork inherits ours

    def start(self, sample: Callable[[FrameType | None], None]) -> None:
        """Call `sample` with the frame at work every millisecond."""
        self._handler = _Handler(sample)
        self._before = signal.signal(signal.SIGALRM, self._handler)
        signal.siginterrupt(signal.SIGALRM, False)  # what C code reads or waits for goes on
        _arm()

    def pause(self) -> None:
        """No more signals; the handler stays."""
        if self._handler is not None:
            self._handler.is_on = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def stop(self) -> None:
        """No more signals; the handler is what it was before."""
        self.pause()
        signal.signal(signal.SIGALRM, self._before)


class _Handler:
    """Asks for the next signal when it is done with one.

    A timer that goes on by itself would interrupt a slow handler, and that one too, until Python's stack is full.
    """

    def __init__(self, sample: Callable[[FrameType | None], None]) -> None:
        self._sample = sample
        self.is_on = True

    def __call__(self, _number: int, frame: FrameType | None) -> None:
        self._sample(frame)
        if self.is_on:
            _arm()


def _arm() -> None:
    signal.setitimer(signal.ITIMER_REAL, _PERIOD)
