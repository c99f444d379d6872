"""The phases of a step, from the spans between marks; plain arithmetic, no clock and no torch."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

STEP = "step"
PHASES = ("data_wait", "host_to_device", "forward", "backward", "optimizer", "other")
OUTSIDE = ("evaluation", "checkpointing", "loader_start")
UNSURE = "evaluation_with_gradients"
_OUTLIER = 1.5

Spans = Sequence[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Seconds of a step by phase (`step`, mean of the ordinary ones), and of all steps with what came between them.

    An ordinary step has no evaluation, checkpoint or start of a loader in it and lasts at most 1.5 medians. Where
    hardly any step is ordinary in that sense, what comes between belongs to the step.
    """

    steps: int = 0
    step: dict[str, float] = field(default_factory=dict[str, float])
    all: dict[str, float] = field(default_factory=dict[str, float])
    with_gradients: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of an ordinary step."""
        return sum(self.step.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of each phase in an ordinary step."""
        return _shares(self.step)

    @property
    def share_by_phase(self) -> dict[str, float]:
        """The larger share of each phase, of ordinary steps or of all."""
        everywhere = _shares(self.all)
        return {name: max(self.shares.get(name, 0.0), everywhere.get(name, 0.0)) for name in {*self.step, *self.all}}


def split(spans: Spans) -> Split:
    """Phases by step, from spans that begin with the mark of a step."""
    unused, steps = _settle(_by_step(spans))
    if not steps:
        return Split()
    rows = [_sums(step) for step in steps]
    ordinary = [row for row in rows if not any(row.get(name) for name in OUTSIDE)]
    if len(ordinary) < max(2, 0.3 * len(rows)):
        ordinary = rows
    middle = statistics.median(sum(row.values()) for row in ordinary)
    kept = [row for row in ordinary if sum(row.values()) <= _OUTLIER * middle] or ordinary
    return Split(steps=len(rows), step=_mean(kept), all=_mean(rows), with_gradients=unused / len(rows))


def _by_step(spans: Spans) -> list[list[tuple[str, float]]]:
    steps: list[list[tuple[str, float]]] = []
    for label, seconds in spans:
        if label == STEP:
            steps.append([("other", seconds)])
        elif steps:
            steps[-1].append((label, seconds))
    return steps


def _settle(steps: list[list[tuple[str, float]]]) -> tuple[float, list[list[tuple[str, float]]]]:
    """What a wait for data or a forward pass in evaluation mode was for shows in what comes after it.

    The first figure is the time of evaluation passes that kept a graph for no backward.
    """
    unused = 0.0
    settled: list[list[tuple[str, float]]] = []
    for step in steps:
        done: list[tuple[str, float]] = []
        for index, (label, seconds) in enumerate(step):
            later = [name for name, _ in step[index + 1 :]]
            if label == "data_wait" and _first(later, "evaluation", UNSURE, "forward", "backward") in (
                "evaluation",
                UNSURE,
            ):
                done.append(("evaluation", seconds))
            elif label == UNSURE:
                is_training = _first(later, "data_wait", "backward", "loader_start") == "backward"
                unused += 0.0 if is_training else seconds
                done.append(("forward" if is_training else "evaluation", seconds))
            else:
                done.append((label, seconds))
        settled.append(done)
    return unused, settled


def _first(labels: Sequence[str], *wanted: str) -> str | None:
    return next((label for label in labels if label in wanted), None)


def _sums(step: Sequence[tuple[str, float]]) -> dict[str, float]:
    row: dict[str, float] = {name: 0.0 for name in PHASES}
    for label, seconds in step:
        row[label] = row.get(label, 0.0) + seconds
    return row


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: sum(row.get(name, 0.0) for row in rows) / len(rows) for name in names}


def _shares(row: dict[str, float]) -> dict[str, float]:
    whole = sum(row.values())
    return {name: seconds / whole for name, seconds in row.items()} if whole > 0 else {}
