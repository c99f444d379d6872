"""Figure: what was measured of one quantity, with its samples by replicate and an interval over replicates."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.compare.inference import CONFIDENCE, combine, stretch_estimate, t_quantile
from hotloop.errors import MeasurementError
from hotloop.estimate import Estimate
from hotloop.measurement import Interval


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Seconds of one quantity: `samples` holds those of each replicate, oldest first.

    A replicate stands for itself by the interquartile mean of its samples, the figure by the geometric mean of its
    replicates.
    """

    samples: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if not self.samples or not all(self.samples):
            raise MeasurementError("got a figure without samples; take some steps of each replicate")

    @property
    def seconds(self) -> float:
        """The figure."""
        return self.interval.ratio

    @property
    def interval(self) -> Interval:
        """The figure with its bounds over replicates; a single one bounds nothing: 0 and infinity."""
        return combine(self._estimates())

    @property
    def interval_inside(self) -> Interval:
        """The bounds that the samples of one process give, which say nothing of another process."""
        inside = self._estimates()[0]
        return inside.interval(t_quantile(CONFIDENCE, max(1, inside.rounds - 1)))

    @property
    def median(self) -> float:
        """Over all samples."""
        return statistics.median(self._all())

    def percentile(self, percent: float) -> float:
        """Over all samples; the nearest one."""
        ordered = sorted(self._all())
        return ordered[min(len(ordered) - 1, max(0, math.ceil(percent / 100 * len(ordered)) - 1))]

    @property
    def num_samples(self) -> int:
        """Over all replicates."""
        return len(self._all())

    def _all(self) -> Sequence[float]:
        return [sample for replicate in self.samples for sample in replicate]

    def _estimates(self) -> list[Estimate]:
        """Log seconds: the log ratio to steps of one second."""
        return [stretch_estimate(samples, (1.0,) * len(samples), trimmed=True) for samples in self.samples]
