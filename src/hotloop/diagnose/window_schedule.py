"""The order in which probes get their steps: a warmup, the timed steps, then one window after another."""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack

from hotloop.diagnose.probe import Probe
from hotloop.diagnose.step_window import StepWindow

_WARMUP = StepWindow(order=0, steps=3, most=0.3)


class WindowSchedule:
    """Opens and closes windows at the ends of steps; probes of equal windows are at work together.

    `done` are the probes whose window has closed. No step that a probe looks at is timed.
    """

    def __init__(self, probes: Sequence[Probe], *, timed_steps: int, budget: float) -> None:
        self.done: list[Probe] = []
        self._timed_steps, self._budget = timed_steps, budget
        self._waiting: deque[tuple[StepWindow, tuple[Probe, ...]]] = deque([(_WARMUP, ())])
        windows = {probe.window for probe in probes if probe.window is not None}
        for window in sorted(windows, key=lambda window: window.order):
            self._waiting.append((window, tuple(probe for probe in probes if probe.window == window)))
        self._window: StepWindow | None = None
        self._probes: tuple[Probe, ...] = ()
        self._contexts = ExitStack()
        self._steps = 0
        self._opened = 0.0

    @property
    def waiting(self) -> list[str]:
        """Names of the probes whose window has not opened."""
        return [probe.name for _, probes in self._waiting for probe in probes]

    def step(self) -> bool:
        """A step of the program has ended; whether a window is open now."""
        seconds = time.perf_counter() - self._opened
        if self._window is not None:
            self._steps += 1
            for probe in self._probes:
                probe.step()
            if self._window.is_over(self._steps, seconds, timed_steps=self._timed_steps, budget=self._budget):
                self.close()
        return self._window is not None or self._open_next()

    def close(self) -> None:
        """End the window that is open, if it has had a step."""
        if self._steps:
            self._contexts.close()
            self.done += self._probes
            self._window, self._steps = None, 0

    def _open_next(self) -> bool:
        while self._waiting:
            window, probes = self._waiting.popleft()
            wanted = tuple(probe for probe in probes if probe.is_wanted())
            if wanted or window is _WARMUP:
                for probe in wanted:
                    self._contexts.enter_context(probe.active())
                self._window, self._probes, self._opened = window, wanted, time.perf_counter()
                return True
        return False
