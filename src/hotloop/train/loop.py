"""The one training loop: whatever trains, times or verifies a recipe runs through it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from torch import Tensor

from hotloop.compile.eager import EagerStep
from hotloop.errors import WorkloadError
from hotloop.train.gradient_health import GradientTotals
from hotloop.train.metrics import Meter, MetricsReport, Totals, read_together
from hotloop.workload import GradientObserver, Job


def train(
    job: Job,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    on_step: Callable[[Tensor], None] | None = None,
    report_every: int | None = None,
    on_report: Callable[[MetricsReport], bool | None] | None = None,
) -> MetricsReport:
    """What the whole run learned, after `steps` steps or `epochs` passes over the batches, whichever ends first.

    Steps are made by `job.step`, else eagerly. `on_step` gets the detached loss after each step and
    may raise to stop; `on_report` gets the means of each `report_every` steps, the last ones included, and may return
    True to end the run. Nothing is read from the device but once a report, `job.gradients` included. Train and eval
    mode of the model are left as they are.
    Raises ValueError for limits below 1 or none at all, WorkloadError for an epoch without a batch.
    """
    _check_limits(steps=steps, epochs=epochs, report_every=report_every)
    make_step = job.step or EagerStep(job)
    schedule = None if job.scheduler is None else job.scheduler.step
    meter, total = _Meters(job.gradients), _Read()
    for done, batch in enumerate(islice(_stream(job.batches, epochs), steps), start=1):
        loss = make_step(batch)
        if schedule is not None:
            schedule()
        meter.add(loss)
        if on_step is not None:
            on_step(loss.value)
        if report_every is not None and done % report_every == 0:
            read, is_over = _flush(meter, on_report)
            total = total.plus(read)
            if is_over:
                break
    return total.plus(_flush(meter, on_report if report_every else None)[0]).report()


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What was read of a run of steps."""

    totals: Totals = field(default_factory=Totals)
    gradients: GradientTotals | None = None

    def plus(self, other: "_Read") -> "_Read":
        gradients = self.gradients if other.gradients is None else other.gradients.after(self.gradients)
        return _Read(totals=self.totals.plus(other.totals), gradients=gradients)

    def report(self) -> MetricsReport:
        gradients = None if self.gradients is None else self.gradients.report()
        return replace(self.totals.report(), gradients=gradients)


class _Meters:
    """The meter of the losses, and the observer of the gradients where there is one: read together."""

    def __init__(self, gradients: GradientObserver | None) -> None:
        losses = Meter()
        self._parts = [losses] if gradients is None else [losses, gradients]
        self.add = losses.add

    def read(self) -> _Read:
        totals, *gradients = read_together(self._parts)
        return _Read(totals=totals, gradients=gradients[0] if gradients else None)


def _flush(meter: _Meters, on_report: Callable[[MetricsReport], bool | None] | None) -> tuple[_Read, bool]:
    read = meter.read()
    if on_report is None or not read.totals.steps:
        return read, False
    return read, bool(on_report(read.report()))


def _stream(batches: Iterable[Any], epochs: int | None) -> Iterator[Any]:
    epoch = 0
    while epochs is None or epoch < epochs:
        is_empty = True
        for batch in batches:
            is_empty = False
            yield batch
        epoch += 1
        if is_empty:
            raise WorkloadError(
                f"epoch {epoch} gave no batch of {type(batches).__name__}; job.batches must be iterable again for each "
                "epoch and hold at least one batch: give a DataLoader or a list, not an iterator"
            )


def _check_limits(**limits: int | None) -> None:
    wrong = {name: value for name, value in limits.items() if value is not None and value < 1}
    if wrong:
        raise ValueError(f"got {wrong}; each must be at least 1, or left out")
    if limits["steps"] is None and limits["epochs"] is None:
        raise ValueError("neither steps nor epochs was given, so training would never end; give one of them")
