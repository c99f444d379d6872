"""One timed run of a program from one seed: how its loss fell, and how long that took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hotloop.errors import MeasurementError, NotApplicable
from hotloop.measurement import Block, Clock
from hotloop.transform import Plan
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.worker.turn_report import TurnReport
from hotloop.workload import Recipe, Workload

FEWEST_STEPS = 20
_SLOWEST = 4  # times the seconds of the first run


@dataclass(frozen=True, kw_only=True)
class LearningRun:
    """Losses and seconds by step, from the first step on; `figures` are what the plan counted in the process."""

    losses: Sequence[float]
    seconds: Sequence[float]
    figures: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def steps(self) -> int:
        """How many steps it made."""
        return len(self.losses)

    def smooth(self, width: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """The mean loss of the last `width` steps up to each step; infinite before there are so many.

        Steps that differentiated nothing (NaN) are left out; a loss that is infinite stays so.
        """
        losses = np.asarray(self.losses, dtype=np.float64)
        seen = ~np.isnan(losses)
        sums, counts = (np.concatenate([[0.0], np.cumsum(part)]) for part in (np.where(seen, losses, 0.0), seen))
        found = np.full(self.steps, np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[width - 1 :] = (sums[width:] - sums[:-width]) / (counts[width:] - counts[:-width])
        return np.where(np.isfinite(found), found, np.inf)

    def best_by(self, share: float, *, width: int) -> float:
        """The lowest smooth loss within that share of its steps."""
        return float(self.smooth(width)[: max(1, round(share * self.steps))].min())

    def step_at(self, loss: float, *, width: int) -> int | None:
        """The first step, counted from 1, at which the smooth loss is at most `loss`; None where it never is."""
        met = np.flatnonzero(self.smooth(width) <= loss)
        return int(met[0]) + 1 if len(met) else None

    def seconds_to(self, loss: float, *, width: int) -> float | None:
        """Seconds until then, the first step included; None where it is never met."""
        step = self.step_at(loss, width=width)
        return None if step is None else float(np.sum(self.seconds[:step]))

    def last(self, steps: int) -> float:
        """The mean loss over the last tenth of the first `steps` steps, at least 10 of them."""
        part = np.asarray(self.losses[:steps][-max(10, steps // 10) :], dtype=np.float64)
        kept = part[~np.isnan(part)]
        return float(kept.mean()) if len(kept) and np.isfinite(kept).all() else float("inf")


def run_to_learn(
    workload: Workload, plan: Plan, settings: Settings, *, seed: int, steps: int, seconds: float
) -> TurnReport:
    """The turn of a fresh process from `seed` that makes `steps` steps, or (0) as many as `seconds` allow.

    A program that comes to its own end before is taken as far as it goes. Raises NotApplicable where the plan changed
    nothing, MeasurementError for a run of less than 20 steps, and as workers do where the program fails.
    """
    if isinstance(workload, Recipe):
        workload = replace(workload, seed=workload.seed + seed)
    with settings.admission.admitted(), Worker(workload, plan, settings, seed=seed) as worker:
        worker.wait_at_barrier()
        limit = worker.first_step_limit + _SLOWEST * seconds
        try:
            report = worker.turn(steps or FEWEST_STEPS, seconds=0.0 if steps else seconds, limit=limit)
        except EndedEarly as end:
            if end.report is None:
                raise MeasurementError(f"{end}: nothing was learned that could be compared") from None
            report = end.report
    for name, reason in report.not_applied.items():
        raise NotApplicable(f"{name}: {reason}")
    if len(report.wall) < FEWEST_STEPS:
        raise MeasurementError(
            f"the program ended after {len(report.wall)} steps; a time to a target loss needs {FEWEST_STEPS} at least: "
            "train longer"
        )
    return report


def learning_run(report: TurnReport, clock: Clock) -> LearningRun:
    """The run that a turn from the first step on shows, on one clock."""
    samples = {Clock.WALL: report.wall, Clock.CPU: report.cpu, Clock.CUDA: report.cuda}[clock]
    return LearningRun(losses=report.losses, seconds=samples, figures=report.figures)


def learning_block(report: TurnReport, arm: str, number: int) -> Block:
    """Its raw samples, as one block."""
    return Block(
        replicate=number, round=0, arm=arm, wall=report.wall, cpu=report.cpu, cuda=report.cuda, losses=report.losses
    )
