"""Panel item 2: what it costs to give each data split its own copy of a fitted scaler."""

import copy
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

COLUMNS, ROWS = 437, 20_000
SIZE = "437 columns, 20,000 rows kept for fitting"
MAD_TO_SD = 1.4826  # of a normal distribution


class RobustScaler:
    """Columns less their median, over their median absolute deviation; keeps the rows it was fitted on."""

    def __init__(self, reservoir_RF: NDArray[np.float64]) -> None:
        self.reservoir_RF: NDArray[np.float64] | None = reservoir_RF
        self.median_F = np.median(reservoir_RF, axis=0)
        self.scale_F = np.maximum(MAD_TO_SD * np.median(np.abs(reservoir_RF - self.median_F), axis=0), 1e-8)

    def clone(self) -> "RobustScaler":
        """The same statistics in memory of their own, without the rows."""
        other = copy.copy(self)
        other.reservoir_RF = None
        other.median_F, other.scale_F = self.median_F.copy(), self.scale_F.copy()
        return other

    def transform(self, rows_NF: NDArray[np.float64]) -> NDArray[np.float64]:
        return (rows_NF - self.median_F) / self.scale_F

    @property
    def nbytes(self) -> int:
        parts = (self.median_F, self.scale_F, self.reservoir_RF)
        return sum(part.nbytes for part in parts if part is not None)


def fitted() -> RobustScaler:
    return RobustScaler(np.random.default_rng(0).standard_normal((ROWS, COLUMNS)))


def comparison() -> Comparison:
    scaler, rows_NF = fitted(), np.random.default_rng(1).standard_normal((64, COLUMNS))

    def check(results: Mapping[str, RobustScaler]) -> None:
        for other in results.values():
            np.testing.assert_array_equal(other.transform(rows_NF), scaler.transform(rows_NF))

    return Comparison(
        variants={"deep copy, rows too": lambda: copy.deepcopy(scaler), "clone, statistics only": scaler.clone},
        check=check,
    )


def counts() -> Mapping[str, float]:
    scaler = fitted()
    clone = scaler.clone()
    before = scaler.median_F.copy()
    clone.median_F += 1.0
    return {
        "bytes of a clone": clone.nbytes,
        "bytes of a deep copy, rows too": scaler.nbytes,
        "statistics of the original that a changed clone changed": int((scaler.median_F != before).sum()),
    }


def judge(seen: Evidence) -> Judgement:
    size, other = seen.count("bytes of a clone"), seen.count("bytes of a deep copy, rows too")
    leaked = seen.count("statistics of the original that a changed clone changed")
    is_as_large = 50e6 <= size <= 100e6
    right = leaked == 0
    ruling = Ruling.HOLDS if is_as_large and right else Ruling.HALF if right or is_as_large else Ruling.FAILS
    cost = span(seen.seconds(SIZE, "clone, statistics only").ratio)
    return Judgement(
        ruling=ruling,
        measured=f"{digits(size)} bytes and {cost} a clone; with the rows it would be {digits(other / 1e6)} MB, "
        f"and {times(seen.ratio(SIZE, 'clone, statistics only'))} dearer",
        why="Keeping the clone is right (splits stay independent), but it drops the fitted rows and weighs kilobytes.",
    )


CLAIM = Claim(
    item="2",
    title="clone of the scaler",
    text="Each data split clones its scaler, which costs much memory but must stay.",
    figure="50-100 MB a clone",
    judge=judge,
    sizes={SIZE: comparison},
    counts=counts,
)
