"""The loss plot: baseline, the band that its own noise spans, and the plan, as paths in a box of 1000 by 1000."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.report.axis import Axis, Tick, even_ticks
from hotloop.trial import Curves

BOX = 1000.0
_MARGIN = 0.06


@dataclass(frozen=True, kw_only=True)
class LossPlot:
    """What the template draws; paths in box units, ticks in percent (y counted from the bottom)."""

    band: str
    baseline: str
    plan: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    remark: str


def plot_losses(curves: Curves) -> LossPlot | None:
    """The plot of the compared losses; None where no finite loss was recorded."""
    series = (curves.baseline, curves.low, curves.high, curves.plan)
    steps = max(len(values) for values in series)
    y = _y_axis(curves)
    if y is None:
        return None
    x = Axis(low=1.0, high=float(max(2, steps)))
    return LossPlot(
        band=_area(x, y, curves.low, curves.high),
        baseline=_line(x, y, curves.baseline),
        plan=_line(x, y, curves.plan),
        x_ticks=even_ticks(x, least_step=1.0),
        y_ticks=even_ticks(y, most=5),
        remark=_remark(y, curves.plan),
    )


def _is_finite(value: float | None) -> bool:
    """JSON turns NaN into null, so a redrawn curve may hold None where the type says float.

    Beyond 1e300 the difference of two losses may overflow, and no plot could show it.
    """
    return value is not None and math.isfinite(value) and abs(value) < 1e300


def _y_axis(curves: Curves) -> Axis | None:
    """The range of what is right, widened for the plan by its own height at most: a diverging plan leaves the plot."""
    sound = [value for value in (*curves.baseline, *curves.low, *curves.high) if _is_finite(value)]
    plan = [value for value in curves.plan if _is_finite(value)]
    if not sound:
        sound = plan
    if not sound:
        return None
    low, high = min(sound), max(sound)
    height = (high - low) or abs(high) or 1.0
    near = [value for value in plan if low - height <= value <= high + height]
    low, high = min(low, *near, low), max(high, *near, high)
    margin = _MARGIN * ((high - low) or height)
    return Axis(low=low - margin, high=high + margin)


def _point(x: Axis, y: Axis, step: int, value: float) -> str:
    # Far outside, a browser may lose precision; the plot is cut at its edge in any case.
    height = min(1e4, max(-1e4, BOX - y.at(value) * BOX / 100.0))
    return f"{x.at(step) * BOX / 100.0:.1f} {height:.1f}"


def _line(x: Axis, y: Axis, values: Sequence[float]) -> str:
    parts: list[str] = []
    is_joined = False
    for step, value in enumerate(values, start=1):
        if _is_finite(value):
            # A stroke of no length, with round caps, shows a single value as a dot.
            parts.append(f"{'L' if is_joined else 'M'}{_point(x, y, step, value)}{'' if is_joined else 'h0'}")
        is_joined = _is_finite(value)
    return "".join(parts)


def _area(x: Axis, y: Axis, low: Sequence[float], high: Sequence[float]) -> str:
    both = enumerate(zip(low, high, strict=False), start=1)
    steps = [(step, a, b) for step, (a, b) in both if _is_finite(a) and _is_finite(b)]
    if not steps:
        return ""
    corners = [_point(x, y, step, b) for step, _, b in steps] + [
        _point(x, y, step, a) for step, a, _ in reversed(steps)
    ]
    return f"M{'L'.join(corners)}Z"


def _remark(y: Axis, plan: Sequence[float]) -> str:
    broken = sum(not _is_finite(value) for value in plan)
    if broken:
        return f"The plan's loss was not finite at {broken:,} of {len(plan):,} steps."
    outside = sum(not y.low <= value <= y.high for value in plan)
    return f"The plan's loss leaves this plot at {outside:,} of {len(plan):,} steps." if outside else ""
