"""The arms of one replicate: their workers, who of them failed, and one round of turns."""

import random
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from hotloop.compare.stretch import Stretch
from hotloop.errors import MeasurementError, NotApplicable, ProtectedFile, WorkloadError
from hotloop.measurement import Block
from hotloop.transform import Plan, warmup_steps
from hotloop.verdict import Outcome, Verdict, does_not_apply
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.worker.turn_report import TurnReport
from hotloop.workload import Workload

WARMUP_STEPS = 3
_EMPTYING = 3  # times the batches that loaders may have ready: what was made while nobody was looking is used up
_FEWEST_STEPS = 12


class Arms:
    """One worker for each arm, alive together; `workload_of` says what an arm runs, which is mostly the same for all.

    What ends an arm becomes its failure; what ends the baseline propagates.
    """

    def __init__(
        self, workload_of: Callable[[str], Workload], settings: Settings, stack: ExitStack, *, baseline: str
    ) -> None:
        self.workers: dict[str, Worker] = {}
        self.failures: dict[str, Verdict] = {}
        self.startup: dict[str, float] = {}
        self.program_steps: int | None = None
        self.warmup = WARMUP_STEPS
        self._workload_of = workload_of
        self._settings = settings
        self._stack = stack
        self._started: list[Worker] = []
        self._at_barrier: set[str] = set()
        self._baseline = baseline

    def start(self, plans: Mapping[str, Plan]) -> None:
        """Start all workers; each runs up to the start barrier while the others start.

        All warm up for as long as the transform that takes longest.
        """
        needed = (warmup_steps(transform) for plan in plans.values() for transform in plan.transforms)
        self.warmup = max(self.warmup, *needed, 1)
        for arm, plan in plans.items():
            with self._failing(arm):
                worker = self._stack.enter_context(Worker(self._workload_of(arm), plan, self._settings))
                self._started.append(worker)
                self.workers[arm] = worker
        self._stack.callback(self._release)

    def _release(self) -> None:
        """Tell all workers to end, so that they end side by side."""
        for worker in self._started:
            worker.release()

    def wait_at_barrier(self) -> None:
        """All that are not there yet to the start barrier, where each is stopped."""
        for arm, worker in list(self.workers.items()):
            if arm in self._at_barrier:
                continue
            self._at_barrier.add(arm)
            with self._failing(arm):
                worker.wait_at_barrier()

    def warm_up(self) -> None:
        """All to the start barrier, then the first steps of each while nobody else runs."""
        self.wait_at_barrier()
        for arm, worker in list(self.workers.items()):
            began = time.monotonic()
            with self._failing(arm):
                _raise_unapplied(worker.turn(self.warmup, limit=worker.first_step_limit))
                self.startup[arm] = time.monotonic() - began
        self._check_baseline()

    def _check_baseline(self) -> None:
        if self._baseline in self.failures:
            message = self.failures[self._baseline].message
            raise MeasurementError(f"the plan to compare with could not run: {message}")

    def pin_together(self) -> None:
        """One core for all when nobody uses more than one thread: workers that take turns then share it."""
        reports = [worker.report for worker in self.workers.values()]
        alone = all(report.threads == 1 and not report.children for report in reports)
        cores = self._settings.cores
        if alone and len(cores) > 1:
            for worker in self.workers.values():
                worker.pin(cores[-1:])

    def step_time(self, arm: str) -> float:
        """Seconds of the fastest warm step so far."""
        return max(min(self.workers[arm].report.wall[1:]), 1e-6)

    def run_round(self, number: tuple[int, int], *, steps: int, order: random.Random) -> list[Block] | None:
        """One turn for each worker in random order; None where a program came to its end before all had theirs.

        `number` is that of the replicate and of the round.
        """
        arms = list(self.workers)
        order.shuffle(arms)
        blocks: list[Block] = []
        for arm in arms:
            try:
                with self._failing(arm):
                    blocks.append(_block(arm, self.workers[arm].turn(steps + 1), number))
            except EndedEarly as end:
                self.program_steps = end.steps
                return None
        return blocks

    def run_alone(self, arm: str, *, steps: int, seconds: float) -> Stretch | None:
        """An uninterrupted stretch of one arm; None where the arm failed.

        Warm steps come first, enough to use up what loaders had ready, and then at least three times as many as loaders
        may have ready ahead: `steps` of them, or more until `seconds` have passed. A program that ends before is
        measured with the steps that it makes.
        """
        found: Stretch | None = None
        with self._failing(arm):
            found = _stretch_of(self.workers[arm], warmup=self.warmup, steps=steps, seconds=seconds)
            self.startup[arm] = found.startup_seconds
        self._check_baseline()
        return found

    def is_fit_for_turns(self, arm: str, stretch: Stretch) -> bool:
        """Whether an arm that had its stretch may go on beside others: alone with its steps, and with its files."""
        return not (stretch.works_beside or stretch.ended_early or self.workers[arm].has_made_files)

    def end(self, arms: Iterable[str]) -> None:
        """End these; what they made outside of their scratch copies is gone then."""
        for arm in arms:
            if arm in self.workers:
                self.workers[arm].end()

    def of_living(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """Blocks of an arm that failed on the way count for nothing."""
        return tuple(block for block in blocks if block.arm in self.workers)

    @contextmanager
    def _failing(self, arm: str) -> Generator[None]:
        """What ends an arm becomes its failure; what ends the baseline, or the end of a program, propagates."""
        try:
            yield
        except EndedEarly:
            raise
        except NotApplicable as reason:
            self._drop(arm, does_not_apply(reason))
        except (WorkloadError, ProtectedFile) as error:
            if arm == self._baseline:
                raise
            self._drop(arm, Verdict(gate="runs", outcome=Outcome.FAIL, message=str(error)))

    def _drop(self, arm: str, verdict: Verdict) -> None:
        self.failures[arm] = verdict
        worker = self.workers.pop(arm, None)
        if worker is not None:
            worker.pause()


def _stretch_of(worker: Worker, *, warmup: int, steps: int, seconds: float) -> Stretch:
    warm = worker.turn(warmup, limit=worker.first_step_limit, then_pause=False)
    _raise_unapplied(warm)
    lead = _EMPTYING * warm.prefetched_steps
    ended_early = False
    try:
        timed = worker.turn(lead + max(steps, lead, _FEWEST_STEPS), seconds=seconds)
    except EndedEarly as end:
        if end.report is None or len(end.report.wall) <= lead + _FEWEST_STEPS:
            raise
        timed, ended_early = end.report, True
    return Stretch.of(warm, timed, lead=lead, stopped_by=worker.stopped_by, ended_early=ended_early)


def _block(arm: str, turn: TurnReport, number: tuple[int, int]) -> Block:
    samples = {"wall": turn.wall, "cpu": turn.cpu, "cuda": turn.cuda, "losses": turn.losses}
    return Block(replicate=number[0], round=number[1], arm=arm, **samples)


def _raise_unapplied(report: TurnReport) -> None:
    """Raise NotApplicable for a transform of the plan that changed nothing at all."""
    for name, reason in report.not_applied.items():
        raise NotApplicable(f"{name}: {reason}")
