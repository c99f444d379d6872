"""Spans of days for training, validation and test, with purging and an embargo.

Source: Lopez de Prado, Advances in Financial Machine Learning (2018), chapter 7.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hotloop.data.panel.keys import date_as_day, day_as_date
from hotloop.errors import PanelError


@dataclass(frozen=True, kw_only=True)
class DaySpan:
    """Days from `first` to `last`, both included, counted from 1970-01-01."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise PanelError(f"a span from {day_as_date(self.first)} to {day_as_date(self.last)} has no day: turn it")

    def __str__(self) -> str:
        return f"{day_as_date(self.first)} to {day_as_date(self.last)}"

    @classmethod
    def between(cls, first: str, last: str) -> "DaySpan":
        """From texts, YYYY-MM-DD."""
        return cls(first=date_as_day(first), last=date_as_day(last))


@dataclass(frozen=True, kw_only=True)
class TemporalSplit:
    """Training, validation, test, in this order in time; targets of one never look into the next."""

    train: DaySpan
    validation: DaySpan
    test: DaySpan


def split_days(
    days: NDArray[np.integer], *, validation: float = 0.2, test: float = 0.2, horizon: int, embargo: int = 0
) -> TemporalSplit:
    """Shares of the trading `days`, which must ascend.

    The last `horizon` days before each border are purged, because their targets end behind it: the target of day t
    ends on day t + horizon. `embargo` more days are left out there. Raises PanelError where a part would be empty.
    """
    total = len(days)
    gap = _gap(horizon, embargo)
    first_test = total - int(total * test)
    first_validation = first_test - int(total * validation)
    parts = ((0, first_validation - gap), (first_validation, first_test - gap), (first_test, total))
    if not 0.0 < test < 1.0 or not 0.0 < validation < 1.0 or any(start >= end for start, end in parts):
        raise PanelError(
            f"got {total} days, validation {validation} and test {test} with {gap} days purged before each; every part "
            "needs a day that is left: choose other shares, a shorter horizon or embargo, or bring more days"
        )
    train, middle, last = (DaySpan(first=int(days[start]), last=int(days[end - 1])) for start, end in parts)
    return TemporalSplit(train=train, validation=middle, test=last)


def walk_forward(
    days: NDArray[np.integer], *, folds: int, horizon: int, embargo: int = 0
) -> Iterator[tuple[DaySpan, DaySpan]]:
    """`folds` pairs (train, test): training always begins on the first day and ends before the test, purged.

    The days are cut into folds + 1 pieces, of which all but the first are tested in turn.
    """
    bounds = np.linspace(0, len(days), folds + 2).astype(int)
    gap = _gap(horizon, embargo)
    if folds < 1 or bounds[1] <= gap:
        raise PanelError(
            f"got {len(days)} days in {folds} folds with {gap} days purged; the first piece must be longer than what "
            "is purged: ask for fewer folds, a shorter horizon or embargo"
        )
    for start, end in pairwise(bounds[1:].tolist()):
        train = DaySpan(first=int(days[0]), last=int(days[start - gap - 1]))
        yield train, DaySpan(first=int(days[start]), last=int(days[end - 1]))


def _gap(horizon: int, embargo: int) -> int:
    if horizon < 1 or embargo < 0:
        raise PanelError(f"got a horizon of {horizon} and an embargo of {embargo} days; at least 1 and 0 are needed")
    return horizon + embargo
