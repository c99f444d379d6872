"""The forest plot: the interval of each comparison on one log axis, beside 1.0 and the threshold of a claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.measurement import Interval
from hotloop.report.axis import Axis, Tick, ratio_ticks
from hotloop.report.short_names import short_change
from hotloop.report.wording import is_ratio, speed
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome

# README.md, "What it promises": a claim clears 2 % and what the machine invents between equal workers (A/A).
LEAST_GAIN = 0.02
# Below this a candidate has lost, and one very slow one would squeeze all others together: it gets an arrow instead.
_SLOWEST_SHOWN = 0.4
_AA = "A/A: the script against itself"
# Few replicates may bound a ratio by almost nothing; their interval then runs to the edge.
_WIDEST_SHOWN = 1.5


@dataclass(frozen=True, kw_only=True)
class Row:
    """One interval; `low`, `ratio` and `high` in percent of the axis, `kind` is aa, kept or refused, and whole."""

    label: str
    kind: str
    figure: str
    low: float
    ratio: float
    high: float
    is_off_scale: bool


@dataclass(frozen=True, kw_only=True)
class Forest:
    """What the template draws; `one` and `threshold` in percent of the axis."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    one: float
    threshold: float
    threshold_label: str


def plot_forest(result: Result) -> Forest | None:
    """The plot of every comparison, A/A first and the confirmed plan last; None where nothing was compared."""
    shown = [(label, kind, interval) for label, kind, interval in _comparisons(result) if is_ratio(interval.ratio)]
    if not shown:
        return None
    return _forest(shown, claim_threshold(result))


def plot_memory_forest(result: Result) -> Forest | None:
    """As `plot_forest`, of how many times less memory each plan needs; None where no memory was compared."""
    found = [
        (
            short_change(trial),
            _kind(trial, result, is_whole=trial.memory_ratio == result.memory_ratio),
            trial.memory_ratio,
        )
        for trial in result.trials
        if trial.memory_ratio is not None
    ]
    if result.memory_aa is not None:
        found.insert(0, (_AA, "aa", result.memory_aa))
    shown = [(label, kind, interval) for label, kind, interval in found if is_ratio(interval.ratio)]
    return _forest(shown, _threshold_of("memory", result)) if shown else None


def _forest(shown: Sequence[tuple[str, str, Interval]], threshold: float) -> Forest:
    axis = _axis([interval for _, _, interval in shown], threshold)
    return Forest(
        rows=tuple(_row(axis, label, kind, interval) for label, kind, interval in shown),
        ticks=ratio_ticks(axis),
        one=axis.at(1.0),
        threshold=axis.at(threshold),
        threshold_label=f"claimed above {threshold:.2f}x",
    )


def claim_threshold(result: Result) -> float:
    """The ratio that a lower bound had to clear where the plan was confirmed, or else where it was last recorded."""
    return _threshold_of("speed", result)


def _threshold_of(gate: str, result: Result) -> float:
    verdicts = (*result.verdicts, *(verdict for trial in reversed(result.trials) for verdict in trial.verdicts))
    for verdict in verdicts:
        if verdict.gate == gate and is_ratio(floor := verdict.numbers.get("floor")):
            return 1.0 + max(verdict.numbers.get("margin", LEAST_GAIN), floor)
    return 1.0 + LEAST_GAIN


def _comparisons(result: Result) -> list[tuple[str, str, Interval]]:
    found: list[tuple[str, str, Interval]] = []
    whole = _whole(result)
    if result.aa is not None:
        found.append((_AA, "aa", result.aa))
    for trial in result.trials:
        if trial.speedup is not None:
            kind = _kind(trial, result, is_whole=trial.speedup == result.speedup)
            found.append((short_change(trial), kind, trial.speedup))
    if result.speedup is not None and whole not in (kind for _, kind, _ in found):
        found.append(("the whole plan", whole, result.speedup))
    return found


def _whole(result: Result) -> str:
    return "whole kept" if result.verdict is Outcome.PASS else "whole refused"


def _kind(trial: Trial, result: Result, *, is_whole: bool) -> str:
    return _whole(result) if is_whole else "kept" if trial.kept else "refused"


def _axis(intervals: Sequence[Interval], threshold: float) -> Axis:
    lows = (interval.low for interval in intervals if is_ratio(interval.low))
    highs = (min(x.high, x.ratio * _WIDEST_SHOWN) if is_ratio(x.high) else x.ratio for x in intervals)
    low = max(_SLOWEST_SHOWN, min(0.95, *lows, 0.95))
    high = max(1.1, threshold, *highs)
    margin = (high / low) ** 0.04
    return Axis(low=low / margin, high=high * margin, is_log=True)


def _row(axis: Axis, label: str, kind: str, interval: Interval) -> Row:
    return Row(
        label=label,
        kind=kind,
        figure=speed(interval),
        low=max(0.0, axis.at(interval.low)) if is_ratio(interval.low) else 0.0,
        ratio=max(0.0, axis.at(interval.ratio)),
        high=min(100.0, max(0.0, axis.at(interval.high))) if is_ratio(interval.high) else 100.0,
        is_off_scale=interval.ratio < axis.low,
    )
