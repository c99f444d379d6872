"""Where the level of a series changed for good, beyond its own noise."""

import importlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hotloop.errors import HistoryError
from hotloop.history.series import FigureSeries

LEAST_EFFECT = 0.01
"""The smallest relative change that is told."""

_FEWEST = 5  # sessions on each side: fewer are an outlier, or too new to tell
_PENALTY = 6.0  # times log(n): rates of false alarms in benchmarks/history/simulate.py
_WIDEST_OUTLIER = 3.0  # standard deviations from the running median, to which a single session is pulled in
_LEAST_SPREAD = 1e-4  # a series without any noise has no scale of its own


@dataclass(frozen=True, kw_only=True)
class Change:
    """The level was `before` up to the point `index` - 1, and `after` from there on."""

    index: int
    session: int
    revision: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After to before."""
        return self.after / self.before


def find_changes(series: FigureSeries, *, least_effect: float = LEAST_EFFECT) -> list[Change]:
    """Changes of level, oldest first; none in a series of fewer than ten points, or with figures that are not positive.

    Exact segmentation (PELT) of the logarithms, scaled by the spread between neighbours. A segment has five points at
    least. Levels are medians. Raises HistoryError where ruptures is not installed.
    """
    values = series.values
    if len(values) < 2 * _FEWEST or min(values) <= 0.0:
        return []
    ends = _segment_ends(_scaled([math.log(value) for value in values]))
    while True:
        levels = [statistics.median(values[start:end]) for start, end in pairwise([0, *ends])]
        effects = [abs(math.log(after / before)) for before, after in pairwise(levels)]
        if not effects or min(effects) >= math.log1p(least_effect):
            break
        del ends[effects.index(min(effects))]  # the smallest goes, and its two segments are one
    return [
        Change(
            index=end,
            session=series.points[end].session,
            revision=series.points[end].revision,
            before=before,
            after=after,
        )
        for end, (before, after) in zip(ends[:-1], pairwise(levels), strict=True)
    ]


def _scaled(logs: Sequence[float]) -> Any:
    """The series in units of its own noise, single outliers pulled in."""
    import numpy as np
    from scipy.ndimage import median_filter

    values = np.asarray(logs)
    # Neighbours differ by sqrt(2) standard deviations; the median over all does not see the few jumps.
    spread = max(1.4826 * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2), _LEAST_SPREAD)
    middle = median_filter(values, size=7, mode="nearest")
    return np.clip(values, middle - _WIDEST_OUTLIER * spread, middle + _WIDEST_OUTLIER * spread) / spread


def _segment_ends(values: Any) -> list[int]:
    try:
        ruptures: Any = importlib.import_module("ruptures")
    except ModuleNotFoundError as error:
        raise HistoryError(
            "changes are found by ruptures, which is not installed; run pip install 'hotloop[history]'"
        ) from error
    # With the linear kernel the cost is that of a shift of the mean; this search is written in C.
    search = ruptures.KernelCPD(kernel="linear", min_size=_FEWEST).fit(values.reshape(-1, 1))
    return list(search.predict(pen=_PENALTY * math.log(len(values))))
