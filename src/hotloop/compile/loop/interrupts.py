"""Ctrl-C while a captured step runs."""

import signal
import sys
import threading
from _signal import getsignal  # pyright: ignore[reportMissingImports, reportUnknownVariableType]
from types import FrameType
from typing import Any


class Interrupts:
    """Ctrl-C in the middle of a captured step is raised behind it, so that no parameter is updated alone.

    A context manager, entered for each step.
    """

    def __init__(self) -> None:
        self._is_held, self._has_come = False, False
        self._before: Any = None

    def __enter__(self) -> None:
        """Hold SIGINT back while inside; the main thread alone ever gets one."""
        if threading.get_ident() != threading.main_thread().ident:
            return
        # signal.getsignal would make an enum of it, which takes microseconds.
        before: Any = getsignal(signal.SIGINT)
        if before != self._handle and callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._handle)
        self._is_held = True

    def __exit__(self, *_: object) -> None:
        """Raise what has come."""
        self._is_held = False
        if self._has_come:
            self._has_come = False
            self._before(signal.SIGINT, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_held:
            self._has_come = True
        else:
            self._before(number, frame)

    def release(self) -> None:
        """Put back the handler that was there."""
        if self._before is not None and getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._before)


interrupts = Interrupts()
