"""How the learning rate and the coefficients of PPO change over the updates; one step an update."""

import math
from dataclasses import dataclass
from typing import Literal

LrSchedule = Literal["constant", "linear", "cosine", "exponential", "step"]


def between(first: float, last: float | None, progress: float) -> float:
    """Linearly from `first` to `last` as `progress` goes from 0 to 1; always `first` where `last` is None."""
    return first if last is None else first + (last - first) * progress


def progress_of(update: int, num_updates: int) -> float:
    """0 in the first of the updates, 1 in the last; `update` is 0-based."""
    return update / (num_updates - 1) if num_updates > 1 else 0.0


@dataclass(frozen=True, kw_only=True)
class LearningRates:
    """The learning rate of each update, from `lr` in the first.

    "linear" and "cosine" reach `final_fraction` of it in the last (None: 0.1 and 0); "exponential" multiplies by
    `gamma` an update (None: 0.995), "step" by `gamma` every `step_size` updates (None: 0.5).
    """

    schedule: LrSchedule
    lr: float
    num_updates: int
    final_fraction: float | None = None
    gamma: float | None = None
    step_size: int = 1000

    def at(self, update: int) -> float:
        """The rate of a 0-based update."""
        progress = progress_of(update, self.num_updates)
        if self.schedule == "linear":
            return between(self.lr, self.lr * _given(self.final_fraction, 0.1), progress)
        if self.schedule == "cosine":
            end = _given(self.final_fraction, 0.0)
            return self.lr * (end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * progress)))
        if self.schedule == "exponential":
            return self.lr * _given(self.gamma, 0.995) ** update
        if self.schedule == "step":
            return self.lr * _given(self.gamma, 0.5) ** (update // self.step_size)
        return self.lr


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
