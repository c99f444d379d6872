"""Axes: where ticks stand and what they say. Positions are percentages of the axis."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One labelled place on an axis; `at` in percent of its length."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A range of values laid over 0 to 100 percent."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Percent of the axis at `value`, rounded so that a page is the same on every machine."""
        low, high, place = (math.log(x) if self.is_log else x for x in (self.low, self.high, value))
        return round(100.0 * (place - low) / (high - low), 3)


# Densest first; ratios between marks of one step stay even enough on a log axis that spans less than a factor of 4.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_MANTISSAS = ((1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))


def ratio_ticks(axis: Axis, *, most: int = 11) -> tuple[Tick, ...]:
    """Round ratios on a log axis, none nearer to the next than one part in `most` of its length."""
    for values in _ratio_grids(axis):
        places = [axis.at(value) for value in values]
        if all(b - a >= 100.0 / most for a, b in pairwise(places)):
            return tuple(Tick(at=at, label=f"{value:g}x") for at, value in zip(places, values, strict=True))
    return (Tick(at=axis.at(1.0), label="1x"),)


def even_ticks(axis: Axis, *, most: int = 6, least_step: float = 0.0) -> tuple[Tick, ...]:
    """Round values on a linear axis, at most about `most` of them, no closer than `least_step`."""
    rough = max((axis.high - axis.low) / most, least_step)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 5.0, 10.0) if power * factor >= rough * (1.0 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks: list[Tick] = []
    for value in _multiples(axis.low, axis.high, step):
        is_long = digits > 6 or abs(value) >= 1e7
        ticks.append(Tick(at=axis.at(value), label=f"{value:.3g}" if is_long else f"{value:,.{digits}f}"))
    return tuple(ticks)


def _ratio_grids(axis: Axis) -> Iterator[Sequence[float]]:
    if axis.high / axis.low < 4.0:
        for step in _STEPS:
            yield _multiples(axis.low, axis.high, step)
    decades = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
    for mantissas in _MANTISSAS:
        values = (mantissa * 10.0**decade for decade in decades for mantissa in mantissas)
        yield [value for value in values if axis.low <= value <= axis.high]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12) if step >= 1e-6 else count * step for count in range(first, last + 1)]
