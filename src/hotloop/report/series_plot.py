"""A series over its sessions, for the page and for the terminal, with the places where its level changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hotloop.report.axis import Axis, Tick, even_ticks
from hotloop.report.wording import duration, mebibytes

_MARGIN = 0.08
BOX = 1000.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """A change as the plot shows it; `at` in percent."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class SeriesPlot:
    """What the template draws; dots and levels as paths in a box of 1000 by 1000, ticks in percent."""

    dots: str
    levels: str
    steps: tuple[Step, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    unit: str


def plot_series(series: Mapping[str, Any]) -> SeriesPlot:
    """The plot of one series of the document of `hotloop history --json`, which holds at least one point."""
    values = [point["value"] for point in series["points"]]
    unit, scale = _unit(series["metric"], max(values))
    scaled = [value * scale for value in values]
    y = _axis(scaled)
    x = Axis(low=0.0, high=float(max(1, len(values) - 1)))
    ends = [0, *(change["index"] for change in series["changes"]), len(values)]
    levels = [change["before"] for change in series["changes"][:1]] + [c["after"] for c in series["changes"]]
    return SeriesPlot(
        dots="".join(f"M{_place(x, index)} {_height(y, value)}h0" for index, value in enumerate(scaled)),
        levels="".join(
            f"M{_place(x, start)} {_height(y, level * scale)}H{_place(x, end - 1)}"
            for (start, end), level in zip(pairwise(ends), levels, strict=bool(levels))
        ),
        steps=tuple(Step(at=x.at(change["index"]), label=percent(change)) for change in series["changes"]),
        x_ticks=even_ticks(x, least_step=1.0),
        y_ticks=even_ticks(y, most=5),
        unit=unit,
    )


def percent(change: Mapping[str, Any]) -> str:
    """How much a level changed, such as +8.1 %."""
    return f"{100 * (change['after'] / change['before'] - 1):+.1f} %"


def figure(metric: str, value: float) -> str:
    """A value of a series in words."""
    if metric.endswith("_time"):
        return duration(value)
    if metric == "peak_memory":
        return f"{mebibytes(round(value))} MiB"
    return f"{value:.3f}x" if metric == "speedup" else f"{value:,.4g}"


def terminal_plot(series: Mapping[str, Any], *, width: int = 72, height: int = 8) -> str:
    """The series in characters: a dot for the mean of the sessions of a column, a bar where the level changed."""
    values = [point["value"] for point in series["points"]]
    columns = min(width, len(values))
    places = [index * columns // len(values) for index in range(len(values))]
    axis = _axis(values)
    canvas = [[" "] * columns for _ in range(height)]
    for change in series["changes"]:
        for row in canvas:
            row[places[change["index"]]] = "|"
    for column in range(columns):
        mine = [value for value, place in zip(values, places, strict=True) if place == column]
        at = axis.at(sum(mine) / len(mine))
        canvas[height - 1 - min(height - 1, int(at / 100 * height))][column] = "o"
    ends = (figure(series["metric"], axis.high), figure(series["metric"], axis.low))
    margin = max(map(len, ends))
    names = [ends[0], *[""] * (height - 2), ends[1]]
    return "\n".join(f"{name:>{margin}} {''.join(row).rstrip()}" for name, row in zip(names, canvas, strict=True))


def _axis(values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    margin = _MARGIN * ((high - low) or abs(high) or 1.0)
    return Axis(low=low - margin, high=high + margin)


def _place(x: Axis, index: int) -> str:
    return f"{x.at(index) * BOX / 100:.1f}"


def _height(y: Axis, value: float) -> str:
    return f"{BOX - y.at(value) * BOX / 100:.1f}"


def _unit(metric: str, largest: float) -> tuple[str, float]:
    if metric.endswith("_time"):
        return ("s", 1.0) if largest >= 1 else ("ms", 1e3) if largest >= 1e-3 else ("us", 1e6)
    if metric == "peak_memory":
        return "MiB", 2.0**-20
    return ("samples/s" if metric == "throughput" else "times" if metric == "speedup" else metric), 1.0
