"""Deferred metrics: losses stay on the device, are folded now and then, and are read once a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from hotloop.errors import WorkloadError
from hotloop.train.gradient_health import GradientReport
from hotloop.workload import Loss

# Steps between two folds: a fold is a dozen small operators, which this many steps share.
_FOLD_EVERY = 128


@dataclass(frozen=True, kw_only=True)
class MetricsReport:
    """What happened in a run of steps.

    `loss` and `metrics` are means over the items of all batches (NaN where nothing finite was seen), `count` is the
    number of items in them. A batch whose value is not finite is left out of that mean and counted in `num_nonfinite`
    (for the loss) or `num_nonfinite_metrics`. `gradients` is there where the job had them observed.
    """

    steps: int
    loss: float
    count: float
    num_nonfinite: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    num_nonfinite_metrics: Mapping[str, int] = field(default_factory=dict[str, int])
    gradients: GradientReport | None = None


class Deferred(Protocol):
    """Figures that stay on the device until they are read together with others."""

    def packed(self) -> Tensor:
        """Everything since the last read as one float64 vector on the device, perhaps empty."""
        ...

    def unpacked(self, values: Sequence[float]) -> Any:
        """What that vector says, from its numbers on the host; starts again from nothing."""
        ...


def read_together(parts: Sequence[Deferred]) -> list[Any]:
    """What each part says, by one transfer from the device for all of them."""
    packed = [part.packed() for part in parts]
    whole = [vector for vector in packed if vector.numel()]
    values = torch.cat(whole).tolist() if whole else []
    found: list[Any] = []
    for part, vector in zip(parts, packed, strict=True):
        found.append(part.unpacked(values[: vector.numel()]))
        values = values[vector.numel() :]
    return found


class Meter:
    """Weighted means of losses and metrics in float64 on their own device; adding a step is one list append."""

    def __init__(self) -> None:
        self._pending: list[Loss] = []
        self._names: tuple[str, ...] | None = None
        self._totals: Tensor | None = None  # rows: weighted sums, weights, numbers of non-finite values
        self._folded_steps = 0

    def add(self, loss: Loss) -> None:
        """Take in the detached loss of one step; nothing is read."""
        self._pending.append(loss)
        if len(self._pending) == _FOLD_EVERY:
            self._fold()

    def read(self) -> "Totals":
        """Everything since the last read, by one transfer from the device; then starts again from nothing."""
        return read_together([self])[0]

    def packed(self) -> Tensor:
        """The sums since the last read, row by row, float64 on their device."""
        if self._pending:
            self._fold()
        return torch.empty(0, dtype=torch.float64) if self._totals is None else self._totals.flatten()

    def unpacked(self, values: Sequence[float]) -> "Totals":
        """The totals that those numbers are; then starts again from nothing."""
        width = len(values) // 3
        rows = tuple(tuple(values[row * width : (row + 1) * width]) for row in range(3))
        totals = Totals(steps=self._folded_steps, names=self._names or (), rows=rows)
        self._totals, self._folded_steps = None, 0
        return totals

    def _fold(self) -> None:
        losses, self._pending = self._pending, []
        names = self._same_names(losses)
        flat = [loss.value for loss in losses]
        if names:
            flat = [scalar for loss in losses for scalar in (loss.value, *loss.metrics.values())]
        values = torch.stack(flat).double().view(len(losses), 1 + len(names)).T
        weights = _weights([loss.count for loss in losses], values.device)
        finite = values.isfinite()
        kept = finite * weights
        sums = torch.stack(
            [(values.where(finite, 0.0) * kept).sum(1), kept.sum(1), (~finite).sum(1, dtype=torch.float64)]
        )
        self._totals = sums if self._totals is None else self._totals.add_(sums)
        self._folded_steps += len(losses)

    def _same_names(self, losses: list[Loss]) -> tuple[str, ...]:
        names = tuple(losses[0].metrics) if self._names is None else self._names
        other = next((loss for loss in losses if (loss.metrics or names) and tuple(loss.metrics) != names), None)
        if other is not None:
            raise WorkloadError(
                f"a strategy returned the metrics {tuple(other.metrics)} after {names}; "
                "each step must return the same names in the same order: fill in the missing ones"
            )
        self._names = names
        return names


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums on the host: rows of weighted sums, weights, non-finite counts; columns: the loss, each metric."""

    steps: int = 0
    names: tuple[str, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ((), (), ())

    def plus(self, other: "Totals") -> "Totals":
        """Both runs of steps together."""
        if not self.steps or not other.steps:
            return other if other.steps else self
        rows = tuple(
            tuple(a + b for a, b in zip(mine, theirs, strict=True))
            for mine, theirs in zip(self.rows, other.rows, strict=True)
        )
        return Totals(steps=self.steps + other.steps, names=self.names, rows=rows)

    def report(self) -> MetricsReport:
        """The means."""
        if not self.steps:
            return MetricsReport(steps=0, loss=math.nan, count=0.0)
        sums, weights, nonfinite = self.rows
        means = [total / weight if weight else math.nan for total, weight in zip(sums, weights, strict=True)]
        return MetricsReport(
            steps=self.steps,
            loss=means[0],
            count=weights[0],
            num_nonfinite=int(nonfinite[0]),
            metrics=dict(zip(self.names, means[1:], strict=True)),
            num_nonfinite_metrics=dict(zip(self.names, map(int, nonfinite[1:]), strict=True)),
        )


def _weights(counts: list[Tensor | int], device: torch.device) -> Tensor:
    if set(map(type, counts)) == {int} and counts.count(counts[0]) == len(counts):
        return torch.tensor(counts[:1], dtype=torch.float64).to(device, non_blocking=True)
    on_device = [count for count in counts if isinstance(count, Tensor)]
    if len(on_device) == len(counts):
        return torch.stack(on_device).double()
    if not on_device:
        return torch.tensor(counts, dtype=torch.float64).to(device, non_blocking=True)
    return torch.stack([torch.as_tensor(count, dtype=torch.float64).to(device, non_blocking=True) for count in counts])
