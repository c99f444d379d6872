"""The one training loop: whatever trains, times or verifies a recipe runs through it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from torch import Tensor

from hotloop.compile.eager import EagerStep
from hotloop.errors import WorkloadError
from hotloop.train.metrics import Meter, MetricsReport, Totals
from hotloop.workload import Job


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
    True to end the run. Nothing is read from the device but once a report. Train and eval mode of the model are left
    as they are.
    Raises ValueError for limits below 1 or none at all, WorkloadError for an epoch without a batch.
    """
    _check_limits(steps=steps, epochs=epochs, report_every=report_every)
    make_step = job.step or EagerStep(job)
    schedule = None if job.scheduler is None else job.scheduler.step
    meter, total = Meter(), Totals()
    for done, batch in enumerate(islice(_stream(job.batches, epochs), steps), start=1):
        loss = make_step(batch)
        if schedule is not None:
            schedule()
        meter.add(loss)
        if on_step is not None:
            on_step(loss.value)
        if report_every is not None and done % report_every == 0:
            totals, is_over = _flush(meter, on_report)
            total = total.plus(totals)
            if is_over:
                break
    return total.plus(_flush(meter, on_report if report_every else None)[0]).report()


def _flush(meter: Meter, on_report: Callable[[MetricsReport], bool | None] | None) -> tuple[Totals, bool]:
    totals = meter.read()
    if on_report is None or not totals.steps:
        return totals, False
    return totals, bool(on_report(totals.report()))


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
                f"epoch {epoch} gave no batch; job.batches must be iterable again for each epoch and hold at least "
                "one batch: give a DataLoader or a list, not an iterator"
            )


def _check_limits(**limits: int | None) -> None:
    wrong = {name: value for name, value in limits.items() if value is not None and value < 1}
    if wrong:
        raise ValueError(f"got {wrong}; each must be at least 1, or left out")
    if limits["steps"] is None and limits["epochs"] is None:
        raise ValueError("neither steps nor epochs was given, so training would never end; give one of them")
