"""The forest plot: where the interval of each race stands on one log axis, beside 1.0 and the threshold of a claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.measurement import Interval
from hotloop.report.axis import Axis, Tick, ratio_ticks
from hotloop.report.wording import is_ratio, speed
from hotloop.trial import Result
from hotloop.verdict import Outcome

# design.md, "Statistics": a claim clears 1 + max(2 %, A/A floor).
LEAST_GAIN = 0.02
# Below this a candidate has lost, and one very slow one would squeeze all others together: it gets an arrow instead.
_SLOWEST_SHOWN = 0.4
# Few pairs may bound a ratio by almost nothing; their interval then runs to the edge.
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
    """The plot of every race, the A/A row first and the confirmed plan last; None where nothing was raced."""
    races = [(label, kind, interval) for label, kind, interval in _races(result) if is_ratio(interval.ratio)]
    if not races:
        return None
    threshold = claim_threshold(result)
    axis = _axis([interval for _, _, interval in races], threshold)
    return Forest(
        rows=tuple(_row(axis, label, kind, interval) for label, kind, interval in races),
        ticks=ratio_ticks(axis),
        one=axis.at(1.0),
        threshold=axis.at(threshold),
        threshold_label=f"claimed above {threshold:.2f}x",
    )


def claim_threshold(result: Result) -> float:
    """The ratio that a lower bound had to clear in the confirming race, or else in the last one that recorded it."""
    verdicts = (*result.verdicts, *(verdict for trial in reversed(result.trials) for verdict in trial.verdicts))
    for verdict in verdicts:
        if verdict.gate == "speed" and is_ratio(floor := verdict.numbers.get("floor")):
            return 1.0 + max(verdict.numbers.get("margin", LEAST_GAIN), floor)
    return 1.0 + LEAST_GAIN


def _races(result: Result) -> list[tuple[str, str, Interval]]:
    races: list[tuple[str, str, Interval]] = []
    if result.aa is not None:
        races.append(("A/A: the script against itself", "aa", result.aa))
    for trial in result.trials:
        if trial.speedup is not None:
            races.append((trial.change, "kept" if trial.kept else "refused", trial.speedup))
    # `prove` has one trial, which is the whole plan: one row is enough.
    if result.speedup is not None and all(trial.speedup != result.speedup for trial in result.trials):
        is_proven = result.verdict is Outcome.PASS
        label = "The whole plan, confirmed" if is_proven else "The whole plan, not proven"
        races.append((label, "whole kept" if is_proven else "whole refused", result.speedup))
    return races


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
