"""How fast a loss falls: by 1000 steps, and how long it takes to a target."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

_WINDOW = 10
_FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """What the losses of one run say.

    `improvement` is the fall of the loss per 1000 steps (Theil-Sen: the median of the slopes between all pairs of
    steps). Steps and seconds to the target count from the first step, compiling included; None where the mean of ten
    losses never came down to it, or no target was given.
    """

    steps: int
    first_loss: float
    last_loss: float
    improvement: float
    target: float | None
    steps_to_target: int | None
    seconds_to_target: float | None


def convergence(
    losses: Sequence[float | None], seconds: Sequence[float], *, target: float | None = None
) -> Convergence | None:
    """What `losses` say, with `seconds` since the start at the end of each step; None for fewer than 20 finite losses.

    The losses at the ends are means of ten.
    """
    known = [
        (step, loss, at)
        for step, (loss, at) in enumerate(zip(losses, seconds, strict=True), start=1)
        if loss is not None and math.isfinite(loss)
    ]
    if len(known) < _FEWEST:
        return None
    values = [loss for _, loss, _ in known]
    steps_to_target, seconds_to_target = None, None
    if target is not None:
        means = _running_means(values)
        found = next((end for end, mean in enumerate(means, start=_WINDOW - 1) if mean <= target), None)
        if found is not None:
            steps_to_target, _, seconds_to_target = known[found]
    return Convergence(
        steps=len(losses),
        first_loss=statistics.fmean(values[:_WINDOW]),
        last_loss=statistics.fmean(values[-_WINDOW:]),
        improvement=-1000.0 * _slope([step for step, _, _ in known], values),
        target=target,
        steps_to_target=steps_to_target,
        seconds_to_target=seconds_to_target,
    )


def _slope(steps: Sequence[int], values: Sequence[float]) -> float:
    from scipy import stats

    stride = max(1, len(values) // 500)  # all pairs of more than 500 would be too many, and say no more
    found: Any = stats.theilslopes(values[::stride], steps[::stride])
    return float(found.slope)


def _running_means(values: Sequence[float]) -> list[float]:
    sums = [0.0, *accumulate(values)]
    return [(sums[end] - sums[end - _WINDOW]) / _WINDOW for end in range(_WINDOW, len(sums))]
