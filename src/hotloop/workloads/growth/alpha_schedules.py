"""How far a seed is blended in, epoch by epoch."""

import math
from collections.abc import Callable
from typing import Literal

AlphaSchedule = Literal["linear", "sigmoid", "gated"]


def _sigmoid(progress: float) -> float:
    """12 * (t - 0.5) through a sigmoid, stretched so that it goes from 0 to 1 exactly."""
    low, high, value = (1.0 / (1.0 + math.exp(-12.0 * (t - 0.5))) for t in (0.0, 1.0, progress))
    return (value - low) / (high - low)


# "gated" goes up linearly as well; a gate then moves it for each sample.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: progress,
    "sigmoid": _sigmoid,
    "gated": lambda progress: progress,
}


def alpha_at(schedule: AlphaSchedule, epochs: int, *, of: int) -> float:
    """Alpha after `epochs` of `of` epochs of blending: 0 before the first, exactly 1 from the last on."""
    progress = min(max(epochs / of, 0.0), 1.0)
    return 1.0 if progress >= 1.0 else SCHEDULES[schedule](progress)
