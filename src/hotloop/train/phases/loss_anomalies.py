"""Losses that are unlike those before them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A z-score within n values cannot exceed sqrt(n - 1), so a small window has a lower threshold: nine tenths of that,
# which a value reaches at 2.06 sqrt(n) deviations of the others.
_SHARE_OF_GREATEST = 0.9


@dataclass(frozen=True, kw_only=True)
class Spike:
    """The loss of `step` lies `z_score` population deviations over the mean of its window, itself included."""

    step: int
    z_score: float


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """From `step` on, the first of the last window, losses are on average `ratio` times those of the window before."""

    step: int
    ratio: float


def spike(losses: Sequence[float], *, step: int, threshold: float) -> Spike | None:
    """Whether the last of these losses is a spike; no loss is where all are equal."""
    mean = statistics.fmean(losses)
    deviation = math.sqrt(statistics.fmean([(loss - mean) ** 2 for loss in losses]))
    if not deviation > 0:
        return None
    score = (losses[-1] - mean) / deviation
    limit = min(threshold, _SHARE_OF_GREATEST * math.sqrt(len(losses) - 1))
    return Spike(step=step, z_score=score) if score > limit else None


def divergence(losses: Sequence[float], steps: Sequence[int], *, window: int, threshold: float) -> Divergence | None:
    """Whether the mean of the last window exceeds that of the one before by more than `threshold` - 1 of its size."""
    if len(losses) < 2 * window:
        return None
    before, last = statistics.fmean(losses[-2 * window : -window]), statistics.fmean(losses[-window:])
    if before == 0 or not last > before + (threshold - 1) * abs(before):
        return None
    return Divergence(step=steps[-window], ratio=last / before)
