"""Untimed runs that are only looked at, several at once where cores allow; what verification compares."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from hotloop.errors import MeasurementError
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.worker.saved_object import SavedObject, read_saves
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Workload

_AT_ONCE = 2


Rows = tuple[tuple[float, ...], ...]
Number = float | None
Phases = tuple[tuple[int, str], ...]


class NotFollowed(MeasurementError):
    """hotloop itself failed while it watched; the program is not to blame."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSteps:
    """What one optimizer was seen to do; a row for each of its own steps, or for those in `recorded` of its `steps`.

    `gradients` (as the step met them) and `updates` are 2-norms by tensor (named in `names`); a gradient of -1 is no
    gradient at all. `moved` is the share of all elements that changed. The sketches are those of some steps, counted
    from 1: random sums by tensor, whose differences are as large as those of the tensors.
    """

    names: tuple[str, ...]
    gradients: Rows
    updates: Rows
    moved: tuple[float, ...]
    gradient_sketches: Mapping[int, Rows] = field(default_factory=dict[int, Rows])
    update_sketches: Mapping[int, Rows] = field(default_factory=dict[int, Rows])
    recorded: tuple[int, ...] = ()
    steps: int = 0
    short: Mapping[int, Sequence[float]] = field(default_factory=dict[int, Sequence[float]])

    @property
    def num_steps(self) -> int:
        """All its steps."""
        return self.steps or len(self.updates)

    def row_of(self, step: int) -> int:
        """The row that belongs to a step."""
        return self.recorded.index(step) if self.recorded else step - 1


@dataclass(frozen=True, kw_only=True)
class ClippedGradients:
    """One clipping before the end of `step`: by `kind` (norm or value), to `limit`, of gradients with this norm."""

    step: int
    kind: str
    limit: float
    norm: float | None


@dataclass(frozen=True, kw_only=True)
class LoaderPass:
    """One pass over a loader: for each batch its size, a checksum of its samples in order, and one without order.

    `draws` says whether fetching samples draws random numbers; it may where workers fetch them.
    """

    batches: tuple[tuple[int, int, int], ...]
    ended: bool
    draws: bool = True


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one run was seen to do; the first index is the step of the leading optimizer.

    `losses` are the means of `each_loss`, all losses that were differentiated for a step, as far as they are finite;
    NaN where there was none. `buffers` are the 2-norms of the changes of what no optimizer updates. `settings` are the
    steps at which each setting of an owner changed, with its new value. `inputs` are element count and sketch of the
    first tensor that each root got, `positions` checksums of the random generators. `graphs` counts what Dynamo
    compiled. `saves` are the objects given to torch.save and, where the program came to its own end, its final state;
    a run of which only losses were taken has no more than the numbers and texts in them. `clippings` are None where
    steps are captured whole, and nobody sees them. `first_events` are the steps after which a kind of event was first
    met, and the run has `ended` by itself. `sites_changed` says how many models, optimizers and loaders each transform
    reached, `not_applied` which have changed nothing, and why. `phases` are the parts of training that a recipe told
    of, each with its first step; `given_up` is what Dynamo ran eagerly from a step on, in its words.
    """

    losses: tuple[float, ...]
    each_loss: Rows
    seeds_itself: bool
    applied: Mapping[str, int] = field(default_factory=dict[str, int])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    not_applied: Mapping[str, str] = field(default_factory=dict[str, str])
    graphs: int = 0
    optimizers: tuple[OptimizerSteps, ...] = ()
    buffer_names: tuple[str, ...] = ()
    buffers: Rows = ()
    buffer_steps: tuple[int, ...] = ()
    settings: Mapping[tuple[str, str], tuple[tuple[int, Number], ...]] = field(
        default_factory=dict[tuple[str, str], tuple[tuple[int, Number], ...]]
    )
    inputs: tuple[Rows, ...] = ()
    positions: tuple[int, ...] = ()
    passes: tuple[LoaderPass, ...] = ()
    events: Mapping[str, int] = field(default_factory=dict[str, int])
    saves: tuple[SavedObject, ...] = ()
    clippings: tuple[ClippedGradients, ...] | None = ()
    first_events: Mapping[str, int] = field(default_factory=dict[str, int])
    ended: bool = False
    sites_changed: Mapping[str, str] = field(default_factory=dict[str, str])
    phases: Phases = ()
    given_up: tuple[tuple[int, str], ...] = ()


def watch(workload: Workload, runs: Sequence[tuple[Plan, ObservationSpec]], settings: Settings) -> list[Observation]:
    """Run each plan as ordered and return what was seen, in the same order.

    One thread each, unless the plan says otherwise, so that sums are added in the same order every time. Raises as
    the workers do: WorkloadCrashed, ProtectedFile, NeverStepped.
    """
    single = replace(settings, variables={**settings.variables, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"})
    shared_files = settings.admission.share_files
    found = _watch_all(workload, runs, single)
    if settings.admission.share_files and not shared_files:  # they have seen each other's: once more, one at a time
        found = _watch_all(workload, runs, single)
    return found


def _watch_all(
    workload: Workload, runs: Sequence[tuple[Plan, ObservationSpec]], settings: Settings
) -> list[Observation]:
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        waiting = [pool.submit(_watch_one, workload, plan, order, settings) for plan, order in runs]
        return [future.result() for future in waiting]


def _watch_one(workload: Workload, plan: Plan, order: ObservationSpec, settings: Settings) -> Observation:
    with settings.admission.admitted(), Worker(workload, plan, settings, watch=order) as worker:
        seen = worker.watched()
    if "failed" in seen:
        raise NotFollowed(f"hotloop could not follow the program, which is hotloop's own error: {seen['failed']}")
    if not seen["losses"]:
        raise MeasurementError("the program ended without a single optimizer step, so there is nothing to compare")
    return _read(seen)


def _read(seen: Mapping[str, Any]) -> Observation:
    phases = tuple((step, phase) for step, phase in seen["phases"])
    return Observation(
        losses=tuple(map(_mean, seen["losses"])),
        each_loss=_rows(seen["losses"]),
        seeds_itself=seen["seeds_itself"],
        applied=seen["applied"],
        refused=seen["refused"],
        not_applied=seen["not_applied"],
        graphs=seen["graphs"],
        ended=seen["ended"],
        sites_changed=seen["sites_changed"],
        phases=phases,
        given_up=tuple((step, told) for step, told in seen["given_up"]),
        **(_read_program(seen["program"]) if seen["program"] else _read_lightly(seen["lightly"], phases)),
    )


def _read_program(seen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "optimizers": tuple(map(_read_optimizer, seen["optimizers"])),
        "buffer_names": tuple(seen["buffer_names"]),
        "buffers": _rows(seen["buffers"]),
        "buffer_steps": tuple(seen["buffer_steps"]),
        "settings": {
            (owner, name): tuple((step, value) for step, value in changes) for owner, name, changes in seen["settings"]
        },
        "inputs": tuple(map(_rows, seen["inputs"])),
        "positions": tuple(seen["positions"]),
        "passes": tuple(
            LoaderPass(
                batches=tuple((b[0], b[1], b[2]) for b in one["batches"]), ended=one["ended"], draws=one["draws"]
            )
            for one in seen["passes"]
        ),
        "events": seen["events"],
        "saves": read_saves(seen["saves"]),
        "clippings": None if seen["clippings"] is None else tuple(map(_read_clipping, seen["clippings"])),
    }


def _read_lightly(seen: Mapping[str, Any], phases: Phases) -> dict[str, Any]:
    first = {phase: step for step, phase in reversed(phases)}  # that a phase begins is an event
    first_events = {**seen["first_events"], **first}
    return {"saves": read_saves(seen["saves"]), "events": seen["events"], "first_events": first_events}


def _read_clipping(seen: Sequence[Any]) -> ClippedGradients:
    step, kind, limit, norm = seen
    return ClippedGradients(step=step, kind=kind, limit=limit, norm=norm)


def _read_optimizer(seen: Mapping[str, Any]) -> OptimizerSteps:
    width = len(seen["names"])
    return OptimizerSteps(
        names=tuple(seen["names"]),
        steps=seen["steps"],
        recorded=tuple(seen["recorded"]),
        gradients=_rows(seen["gradients"], width, -1.0),
        updates=_rows(seen["updates"], width, 0.0),
        moved=tuple(seen["moved"]),
        short=dict(seen["short"]),
        gradient_sketches={step: _rows(rows) for step, rows in seen["gradient_sketches"]},
        update_sketches={step: _rows(rows) for step, rows in seen["update_sketches"]},
    )


def _rows(rows: Sequence[Sequence[float]], width: int = 0, missing: float = 0.0) -> Rows:
    """Rows of equal length where a width is given: what came later is missing before."""
    return tuple((*row, *[missing] * (width - len(row))) for row in rows)


def _mean(losses: Sequence[float]) -> float:
    finite = [loss for loss in losses if math.isfinite(loss)]
    kept = finite or losses
    return sum(kept) / len(kept) if kept else math.nan
