"""What steps with a true gradient take, and what steps take in the mean."""

import time
from collections.abc import Callable


class StepTimes:
    """Wall time from the beginning of a step to its end. On an accelerator that runs behind the host only the mean over
    many steps means something, and only where something waits for the device now and then.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._seconds = {True: 0.0, False: 0.0}
        self._num_steps = {True: 0, False: 0}
        self._began = 0.0

    def begin(self) -> None:
        """A step begins."""
        self._began = self._clock()

    def end(self, *, had_backward: bool) -> None:
        """It ends."""
        self._seconds[had_backward] += self._clock() - self._began
        self._num_steps[had_backward] += 1

    @property
    def ratio(self) -> float | None:
        """Mean time of a step with a true gradient over that of all; None before both kinds were seen."""
        if not all(self._num_steps.values()):
            return None
        mean = sum(self._seconds.values()) / sum(self._num_steps.values())
        return self._seconds[True] / self._num_steps[True] / mean if mean > 0 else None

    def reset(self) -> None:
        """As new."""
        self._seconds, self._num_steps = {True: 0.0, False: 0.0}, {True: 0, False: 0}
