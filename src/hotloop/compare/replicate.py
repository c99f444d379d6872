"""One heat: fresh worker processes of several plans, alive together, taking turns in random order.

A heat is the unit of replication: with fresh processes memory lands anew, and that moves times more than anything
inside a process does.
"""

import math
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hotloop.errors import MeasurementError, NotApplicable, ProtectedFile, WorkloadError
from hotloop.measurement import Block, Memory
from hotloop.transform import Plan
from hotloop.verdict import Outcome, Verdict
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.workload import Workload

BASELINE = "baseline"
AGAIN = "again"
_WARMUP_STEPS = 3
_FEWEST_ROUNDS = 3
_FEWEST_STEPS = _WARMUP_STEPS + 2 * (_FEWEST_ROUNDS + 1)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long turns are: rounds in a heat, seconds that the timed part of a block should last, seconds in all.

    `program_steps` is the length of a program that is known to end by itself.
    """

    rounds: int = 12
    block_seconds: float = 0.08
    most_seconds: float = 40.0
    program_steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Heat:
    """What one heat gave: blocks in the order in which they were run, and why some arms did not run."""

    blocks: tuple[Block, ...]
    failures: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    startup: Mapping[str, float] = field(default_factory=dict[str, float])
    memory: Mapping[str, Memory] = field(default_factory=dict[str, Memory])
    threads: Mapping[str, int] = field(default_factory=dict[str, int])
    loader_processes: int = 0
    optimizers: tuple[str, ...] = ()
    ended_early: bool = False
    program_steps: int | None = None

    def rounds(self, arm: str) -> list[Block]:
        """The blocks of one arm, oldest first."""
        return [block for block in self.blocks if block.arm == arm]


def run_heat(
    workload: Workload,
    arms: Mapping[str, Plan],
    settings: Settings,
    *,
    pair: int,
    pace: Pace,
    order: random.Random,
    keep: Callable[[Block], None] = lambda block: None,
) -> Heat:
    """Start one worker for each arm and let them take turns; the first arm is the one that all are compared with.

    An arm that crashes or does not apply becomes a failure; where the first arm does, the error propagates. A program
    that ends before enough rounds are through is started again with turns short enough for it.
    """
    try:
        return _run_heat(workload, arms, settings, pair=pair, pace=pace, order=order, keep=keep)
    except _TooShort as end:
        shorter = replace(pace, program_steps=end.steps)
        return _run_heat(
            workload, arms, settings, pair=pair, pace=shorter, order=order, keep=keep, first_round=end.rounds
        )


class _TooShort(EndedEarly):
    """The program ended after `steps` steps, when only `rounds` rounds were through."""

    def __init__(self, steps: int, rounds: int) -> None:
        super().__init__(steps)
        self.rounds = rounds


def _run_heat(
    workload: Workload,
    arms: Mapping[str, Plan],
    settings: Settings,
    *,
    pair: int,
    pace: Pace,
    order: random.Random,
    keep: Callable[[Block], None],
    first_round: int = 0,
) -> Heat:
    with ExitStack() as stack:
        lanes = _Lanes(workload, settings, stack)
        for arm, plan in arms.items():
            lanes.enter(arm, plan)
        first = next(iter(arms))
        stack.callback(lanes.release)
        lanes.warm_up()
        if first not in lanes.workers:
            raise MeasurementError(f"the plan to compare with could not run: {lanes.failures[first].message}")
        lanes.pin_together()
        steps = _steps_of_a_block(lanes.step_time(first), pace)
        rounds = _rounds(steps, [lanes.step_time(arm) for arm in lanes.workers], pace)
        blocks: list[Block] = []
        for number in range(rounds):
            fresh = lanes.run_round((pair, first_round + number), steps=steps, order=order)
            if fresh is None:
                _check_length(lanes.program_steps or 0, number, pace)
                break
            blocks.extend(fresh)
            for block in fresh:
                keep(block)
        return lanes.heat(blocks, ended_early=len(blocks) < rounds * len(lanes.workers))


def _steps_of_a_block(step_time: float, pace: Pace) -> int:
    """Timed steps of a block: enough to last `block_seconds`, two at least unless a step takes a quarter second."""
    fewest = 1 if step_time > 0.25 else 2
    steps = max(fewest, min(200, math.ceil(pace.block_seconds / step_time)))
    return steps if pace.program_steps is None else min(steps, _longest_block(pace.program_steps))


def _longest_block(program_steps: int) -> int:
    """Timed steps of a block when so short a program must last for one round more than the fewest."""
    return (program_steps - _WARMUP_STEPS) // (_FEWEST_ROUNDS + 1) - 1


def _check_length(program_steps: int, rounds: int, pace: Pace) -> None:
    """Raise where a program that has ended gave too few rounds: _TooShort where shorter turns would do."""
    if rounds >= _FEWEST_ROUNDS:
        return
    if pace.program_steps is None and _longest_block(program_steps) >= 1:
        raise _TooShort(program_steps, rounds)
    raise MeasurementError(
        f"the program ended after {program_steps} steps, and {_FEWEST_STEPS} are needed at least: train longer"
    )


def _rounds(steps: int, step_times: Sequence[float], pace: Pace) -> int:
    cost = (steps + 1) * sum(step_times)
    return max(_FEWEST_ROUNDS + 1, min(pace.rounds, int(pace.most_seconds / cost)))


class _Lanes:
    """The workers of one heat."""

    def __init__(self, workload: Workload, settings: Settings, stack: ExitStack) -> None:
        self.workers: dict[str, Worker] = {}
        self.failures: dict[str, Verdict] = {}
        self._startup: dict[str, float] = {}
        self._workload = workload
        self._settings = settings
        self._stack = stack
        self._started: list[Worker] = []
        self._first: str | None = None
        self.program_steps: int | None = None

    def enter(self, arm: str, plan: Plan) -> None:
        """Start the worker of an arm; it runs up to the gate while the others start."""
        self._first = self._first or arm
        with self._failing(arm):
            worker = self._stack.enter_context(Worker(self._workload, plan, self._settings))
            self._started.append(worker)
            self.workers[arm] = worker

    def release(self) -> None:
        """Tell all workers to end, so that they end side by side."""
        for worker in self._started:
            worker.release()

    def warm_up(self) -> None:
        """Everyone to the gate, then the first steps of each while nobody else runs."""
        try:
            self._to_the_gate()
            self._first_steps()
        except EndedEarly as end:
            raise MeasurementError(f"{end}, and {_FEWEST_STEPS} are needed at least: train longer") from None

    def _to_the_gate(self) -> None:
        for arm, worker in list(self.workers.items()):
            with self._failing(arm):
                worker.open_gate()

    def _first_steps(self) -> None:
        for arm, worker in list(self.workers.items()):
            began = time.monotonic()
            with self._failing(arm):
                worker.turn(_WARMUP_STEPS, limit=worker.first_step_limit)
                _raise_unapplied(worker)
                self._startup[arm] = time.monotonic() - began

    def pin_together(self) -> None:
        """One core for all when nobody uses more than one thread: workers that take turns then share it."""
        alone = all(w.state["threads"] == 1 and not w.state["children"] for w in self.workers.values())
        cores = self._settings.cores
        if alone and len(cores) > 1:
            for worker in self.workers.values():
                worker.pin(cores[-1:])

    def step_time(self, arm: str) -> float:
        """Seconds of the fastest warm step so far."""
        return max(min(self.workers[arm].state["wall"][1:]), 1e-6)

    def run_round(self, number: tuple[int, int], *, steps: int, order: random.Random) -> list[Block] | None:
        """One turn for each worker in random order; None where a program came to its end before all had theirs."""
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

    def heat(self, blocks: Sequence[Block], *, ended_early: bool) -> Heat:
        """What came of it; blocks of an arm that failed on the way count for nothing."""
        workers = self.workers
        return Heat(
            blocks=tuple(block for block in blocks if block.arm in workers),
            failures=self.failures,
            startup={arm: self._startup[arm] for arm in workers},
            memory={
                arm: Memory(
                    rss=w.state["rss"], cuda_allocated=w.state["cuda_allocated"], cuda_reserved=w.state["cuda_reserved"]
                )
                for arm, w in workers.items()
            },
            threads={arm: w.state["threads"] for arm, w in workers.items()},
            loader_processes=max(w.state["children"] for w in workers.values()),
            optimizers=tuple(workers[next(iter(workers))].state["optimizers"]),
            ended_early=ended_early,
            program_steps=self.program_steps,
        )

    @contextmanager
    def _failing(self, arm: str) -> Generator[None]:
        """What ends an arm becomes its failure; what ends the first arm, or the end of a program, propagates."""
        try:
            yield
        except EndedEarly:
            raise
        except NotApplicable as reason:
            self._drop(arm, Verdict(gate="applies", outcome=Outcome.FAIL, message=f"does not apply here: {reason}"))
        except (WorkloadError, ProtectedFile) as error:
            if arm == self._first:
                raise
            self._drop(arm, Verdict(gate="runs", outcome=Outcome.FAIL, message=str(error)))

    def _drop(self, arm: str, verdict: Verdict) -> None:
        self.failures[arm] = verdict
        worker = self.workers.pop(arm, None)
        if worker is not None:
            worker.pause()


def _block(arm: str, turn: Mapping[str, Any], number: tuple[int, int]) -> Block:
    losses = tuple(math.nan if loss is None else loss for loss in turn["losses"])
    samples = {clock: tuple(turn[clock]) for clock in ("wall", "cpu", "cuda")}
    return Block(pair=number[0], round=number[1], arm=arm, losses=losses, **samples)


def _raise_unapplied(worker: Worker) -> None:
    """Raise NotApplicable for a transform of the plan that changed nothing at all."""
    never_met = "the program never showed it a site (no DataLoader, no optimizer, no root module with parameters)"
    for name, sites in worker.state["applied"].items():
        if not sites:
            raise NotApplicable(f"{name}: {worker.state['refused'].get(name, never_met)}")
        if name in worker.state["unconfirmed"]:
            raise NotApplicable(f"{name}: {worker.state['unconfirmed'][name]}")
