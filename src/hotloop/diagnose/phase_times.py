"""How long each phase of a step takes, from labelled spans of time; plain arithmetic, no clock and no torch."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

STEP = "step"
PHASES = ("data_wait", "host_to_device", "forward", "backward", "optimizer", "other")
OUTSIDE = ("evaluation", "checkpointing", "loader_start")
UNSURE = "evaluation_with_gradients"  # a forward pass in evaluation mode that keeps a graph: training, or a mistake
_OUTLIER = 1.5
_FEWEST_ORDINARY = 0.3

Spans = Sequence[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class PhaseTimes:
    """Mean seconds by phase: of an `ordinary` step, and of `all` steps with what came between them.

    An ordinary step has no evaluation, checkpoint or start of a loader in it and lasts at most 1.5 medians. Where
    hardly any step is ordinary in that sense, what comes between belongs to the step. `unused_graphs` are seconds a
    step of forward passes in evaluation mode that kept a graph for no backward.
    """

    steps: int = 0
    ordinary: dict[str, float] = field(default_factory=dict[str, float])
    all: dict[str, float] = field(default_factory=dict[str, float])
    unused_graphs: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of an ordinary step."""
        return sum(self.ordinary.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of each phase in an ordinary step."""
        whole = self.seconds
        return {name: seconds / whole for name, seconds in self.ordinary.items()} if whole > 0 else {}

    @property
    def share_by_phase(self) -> dict[str, float]:
        """The larger share of each phase, of ordinary steps or of all."""
        names = {*self.ordinary, *self.all}
        return {name: max(self.shares.get(name, 0.0), self.share_of_all(self.all.get(name, 0.0))) for name in names}

    def share(self, seconds: float) -> float:
        """The share of an ordinary step that so many seconds in it are; at most 1."""
        return min(1.0, seconds / self.seconds) if self.seconds > 0 else 0.0

    def share_of_all(self, seconds: float) -> float:
        """The share of all time that so many seconds a step are."""
        whole = sum(self.all.values())
        return seconds / whole if whole > 0 else 0.0


def split_steps(spans: Spans) -> PhaseTimes:
    """Times by phase, from spans of which each step's first one is labelled `STEP`."""
    rows: list[dict[str, float]] = []
    unused = 0.0
    for step in _by_step(spans):
        rows.append(dict.fromkeys(PHASES, 0.0))
        for label, seconds in _resolved(step):
            unused += seconds if label == UNSURE else 0.0
            name = "evaluation" if label == UNSURE else label
            rows[-1][name] = rows[-1].get(name, 0.0) + seconds
    if not rows:
        return PhaseTimes()
    ordinary = [row for row in rows if not any(row.get(name) for name in OUTSIDE)]
    if len(ordinary) < max(2, _FEWEST_ORDINARY * len(rows)):
        ordinary = rows
    middle = statistics.median(sum(row.values()) for row in ordinary)
    kept = [row for row in ordinary if sum(row.values()) <= _OUTLIER * middle] or ordinary
    return PhaseTimes(steps=len(rows), ordinary=_mean(kept), all=_mean(rows), unused_graphs=unused / len(rows))


def _by_step(spans: Spans) -> list[list[tuple[str, float]]]:
    steps: list[list[tuple[str, float]]] = []
    for label, seconds in spans:
        if label == STEP:
            steps.append([("other", seconds)])
        elif steps:
            steps[-1].append((label, seconds))
    return steps


def _resolved(step: Spans) -> list[tuple[str, float]]:
    """The spans of a step; what a wait for data or a pass in evaluation mode was for shows in what follows it.

    A pass in evaluation mode that no backward follows stays `UNSURE`.
    """
    resolved: list[tuple[str, float]] = []
    for index, (label, seconds) in enumerate(step):
        later = [name for name, _ in step[index + 1 :]]
        name = label
        if label == "data_wait" and _first(later, "evaluation", UNSURE, "forward", "backward") in (
            "evaluation",
            UNSURE,
        ):
            name = "evaluation"
        elif label == UNSURE and _first(later, "data_wait", "backward", "loader_start") == "backward":
            name = "forward"
        resolved.append((name, seconds))
    return resolved


def _first(labels: Sequence[str], *wanted: str) -> str | None:
    return next((label for label in labels if label in wanted), None)


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: sum(row.get(name, 0.0) for row in rows) / len(rows) for name in names}
