"""The page of a benchmark: a bar with its interval for each row, all figures, convergence, the busiest operators."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hotloop.report.axis import Axis, Tick, even_ticks
from hotloop.report.bench_table import bounds, convergence_text, milliseconds, rate, row_name, size
from hotloop.report.html import environment_rows, render
from hotloop.report.notes import shown_notes
from hotloop.report.wording import duration

_WIDEST_SHOWN = 1.6  # times the longest step: an interval of few replicates may reach further, and is cut there


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The step of one row; places in percent of the axis, -1 where there is none."""

    label: str
    figure: str
    end: float
    forward: float
    backward: float
    low: float
    high: float
    is_slowest: bool


@dataclass(frozen=True, kw_only=True)
class BarChart:
    """What the template draws."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    unit: str


def benchmark_page(document: Mapping[str, Any]) -> str:
    """The whole page as HTML, from the document of `hotloop bench --json`."""
    context = {
        "document": document,
        "chart": step_chart(document),
        "measured": [row for row in document["rows"] if not row["failure"]],
        "failed": [row for row in document["rows"] if row["failure"]],
        "notes": shown_notes(document["notes"]),
        "environment": environment_rows(document["environment"]),
        "cpu_flags": document["environment"]["cpu_flags"],
        "row_name": row_name,
        "milliseconds": milliseconds,
        "bounds": bounds,
        "rate": rate,
        "size": size,
        "convergence_text": convergence_text,
        "duration": duration,
    }
    return render("bench.html", context)


def step_chart(document: Mapping[str, Any]) -> BarChart | None:
    """A bar for each measured row; None where there is none."""
    rows = [(number, row) for number, row in enumerate(document["rows"]) if row["step_ms"]]
    if not rows:
        return None
    longest = max(row["step_ms"] for _, row in rows)
    unit, scale = _unit(longest)
    most = max(min(row["high"] or row["step_ms"], longest * _WIDEST_SHOWN) for _, row in rows)
    axis = Axis(low=0.0, high=1.03 * most * scale)
    bars = tuple(_bar(row, axis, scale, is_slowest=number == document["slowest"]) for number, row in rows)
    return BarChart(bars=bars, ticks=even_ticks(axis), unit=unit)


def _bar(row: Mapping[str, Any], axis: Axis, scale: float, *, is_slowest: bool) -> Bar:
    def at(value: float | None) -> float:
        return -1.0 if value is None else min(100.0, axis.at(value * scale))

    forward, backward = row["forward_ms"], row["backward_ms"]
    parts = _parts([forward or 0.0, backward or 0.0], row["step_ms"])
    return Bar(
        label=row_name(row),
        figure=bounds(row),
        end=at(row["step_ms"]),
        forward=at(parts[0]) if forward else 0.0,
        backward=at(parts[1]) if backward else 0.0,
        low=at(row["low"]),
        high=at(row["high"]),
        is_slowest=is_slowest,
    )


def _parts(lengths: Sequence[float], whole: float) -> list[float]:
    """Lengths that fit into the whole: parts are timed apart, each waited for, and may come to more than a step."""
    scale = min(1.0, whole / max(math.fsum(lengths), 1e-12))
    return [length * scale for length in lengths]


def _unit(milliseconds_: float) -> tuple[str, float]:
    return ("s", 1e-3) if milliseconds_ >= 1000 else ("ms", 1.0) if milliseconds_ >= 1 else ("us", 1e3)
