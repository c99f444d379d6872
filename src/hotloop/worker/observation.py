"""Untimed runs that are only looked at, several at once where cores allow; what verification compares."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from hotloop.errors import MeasurementError
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload

_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one run was seen to do; the first index is the step.

    `losses` are NaN where a step differentiated nothing. `gradients`, `updates` and `buffers` are 2-norms, by
    parameter (named in `names`) and by floating buffer; a gradient of -1 is no gradient at all. `sketches` are random
    sums of the first step's gradients, by parameter; their differences are as large as the gradients' are.
    `moved` is the share of
    all parameters' elements that changed. `switches` maps each module to (is it training, its dropout rate). `graphs`
    counts what Dynamo compiled.
    """

    losses: tuple[float, ...]
    names: tuple[str, ...]
    gradients: tuple[tuple[float, ...], ...]
    updates: tuple[tuple[float, ...], ...]
    buffers: tuple[tuple[float, ...], ...]
    moved: tuple[float, ...]
    switches: dict[str, tuple[float, float]]
    seeds_itself: bool
    applied: dict[str, int]
    refused: dict[str, str]
    graphs: int = 0
    sketches: tuple[tuple[float, ...], ...] = ()


def watch(workload: Workload, runs: Sequence[tuple[Plan, ObservationSpec]], settings: Settings) -> list[Observation]:
    """Run each plan as ordered and return what was seen, in the same order.

    One thread each, unless the plan says otherwise, so that sums are added in the same order every time. Raises as
    the workers do: WorkloadCrashed, ProtectedFile, NeverStepped.
    """
    single = replace(settings, variables={**settings.variables, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"})
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        waiting = [pool.submit(_watch_one, workload, plan, order, single) for plan, order in runs]
        return [future.result() for future in waiting]


def _watch_one(workload: Workload, plan: Plan, order: ObservationSpec, settings: Settings) -> Observation:
    with Worker(workload, plan, settings, watch=order) as worker:
        seen = worker.watched()
    if not seen["losses"]:
        raise MeasurementError("the program ended without a single optimizer step, so there is nothing to compare")
    return _read(seen)


def _read(seen: dict[str, Any]) -> Observation:
    return Observation(
        losses=tuple(float("nan") if loss is None else loss for loss in seen["losses"]),
        names=tuple(seen["names"]),
        gradients=tuple(tuple(row) for row in seen["gradients"]),
        updates=tuple(tuple(row) for row in seen["updates"]),
        buffers=tuple(tuple(row) for row in seen["buffers"]),
        moved=tuple(row[0] for row in seen["moved"]),
        switches={name: (switch[0], switch[1]) for name, switch in seen["switches"].items()},
        seeds_itself=seen["seeds_itself"],
        applied=seen["applied"],
        refused=seen["refused"],
        graphs=seen["graphs"],
        sketches=tuple(tuple(row) for row in seen["sketches"]),
    )
