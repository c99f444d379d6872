"""One replicate: fresh worker processes of several plans, alive together, taking turns in random order.

A replicate is the unit of replication: with fresh processes memory lands anew, and that moves times more than anything
inside a process does.
"""

import contextlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from hotloop.compare.arms import WARMUP_STEPS, Arms
from hotloop.compare.stretch import Stretch
from hotloop.errors import MeasurementError
from hotloop.measurement import Block, Memory
from hotloop.transform import Plan
from hotloop.verdict import Verdict
from hotloop.worker.process import EndedEarly, Settings
from hotloop.workload import Workload

_FEWEST_ROUNDS = 3
_FEWEST_STEPS = WARMUP_STEPS + 2 * (_FEWEST_ROUNDS + 1)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long turns are: rounds in a replicate, seconds that the timed part of a block should last, seconds in all.

    `program_steps` is the length of a program that is known to end by itself.
    """

    rounds: int = 12
    block_seconds: float = 0.08
    most_seconds: float = 40.0
    program_steps: int | None = None

    def steps_of_a_block(self, step_time: float) -> int:
        """Timed steps: enough to last `block_seconds`, two at least unless a step takes a quarter second."""
        fewest = 1 if step_time > 0.25 else 2
        steps = max(fewest, min(200, math.ceil(self.block_seconds / step_time)))
        return steps if self.program_steps is None else min(steps, _longest_block(self.program_steps))

    def rounds_of(self, steps: int, step_times: Sequence[float]) -> int:
        """Rounds that fit into `most_seconds` with blocks of `steps` timed steps of each arm."""
        cost = (steps + 1) * sum(step_times)
        return max(_FEWEST_ROUNDS + 1, min(self.rounds, int(self.most_seconds / cost)))


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """What one replicate gave: blocks in the order in which they were run, and why some arms did not run."""

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


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """The uninterrupted stretches of one replicate, why some arms did not run, and the `lockstep` that followed."""

    arms: Mapping[str, Stretch]
    failures: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    lockstep: Replicate | None = None


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What all replicates of a series have in common; `keep` is told of the blocks of each when it is through.

    All arms run `workload`, but for those that `workloads` names.
    """

    workload: Workload
    settings: Settings
    baseline: str
    order: random.Random
    keep: Callable[[Block], None] = lambda block: None
    workloads: Mapping[str, Workload] = field(default_factory=dict[str, Workload])

    def workload_of(self, arm: str) -> Workload:
        """What the process of an arm runs."""
        return self.workloads.get(arm, self.workload)


def run_replicate(setup: Setup, plans: Mapping[str, Plan], *, number: int, pace: Pace) -> Replicate:
    """Start one worker for each arm and let them take turns; all are compared with `setup.baseline`.

    An arm that crashes or does not apply becomes a failure; where the baseline does, the error propagates. A program
    that ends before enough rounds are through is started again with turns short enough for it.
    """
    try:
        return _run(setup, plans, number=number, pace=pace)
    except _TooShort as end:
        shorter = replace(pace, program_steps=end.steps)
        return _run(setup, plans, number=number, pace=shorter)


def run_one_by_one(setup: Setup, plans: Mapping[str, Plan], *, number: int, pace: Pace) -> Replicate:
    """A replicate of arms that memory does not hold together: one after another in random order, each on its own.

    What the machine does in the meantime is in the difference of two arms. Raises as `run_replicate`.
    """
    order = list(plans)
    setup.order.shuffle(order)
    single = replace(pace, most_seconds=pace.most_seconds / len(order))
    parts = [run_replicate(setup, {arm: plans[arm]}, number=number, pace=single) for arm in order]
    rounds = min((len(part.blocks) for part in parts if part.blocks), default=0)
    return Replicate(
        blocks=tuple(block for part in parts for block in part.blocks[:rounds]),
        failures={arm: verdict for part in parts for arm, verdict in part.failures.items()},
        startup={arm: seconds for part in parts for arm, seconds in part.startup.items()},
        memory={arm: memory for part in parts for arm, memory in part.memory.items()},
        threads={arm: threads for part in parts for arm, threads in part.threads.items()},
        loader_processes=max(part.loader_processes for part in parts),
        optimizers=next((part.optimizers for part in parts if part.optimizers), ()),
        ended_early=any(part.ended_early for part in parts),
        program_steps=next((part.program_steps for part in parts if part.program_steps), None),
    )


def learn_memory(setup: Setup) -> None:
    """Run the baseline alone for its first steps, where it is not known yet what a worker takes."""
    with ExitStack() as stack:
        arms = Arms(setup.workload_of, setup.settings, stack, baseline=setup.baseline)
        arms.start({setup.baseline: Plan()})
        with contextlib.suppress(EndedEarly):  # the replicate that follows says so better
            arms.warm_up()


def run_stretches(
    setup: Setup,
    plans: Mapping[str, Plan],
    *,
    number: int,
    steps: int,
    seconds: float,
    together: bool = True,
    then: Pace | None = None,
) -> Stretches:
    """An uninterrupted stretch of each arm, in fresh processes, one after another in random order.

    All are started together and stopped at the start barrier, where nothing was prepared yet; each then runs alone to
    the end of its stretch. Where memory does not hold them `together` each is started when the one before has ended.
    The baseline decides with `seconds` how many steps a stretch has where `steps` is 0, and then goes first. With
    `then` the same processes go on in lockstep at that pace, which saves starting them again; they do not where
    something works beside their steps, where one has made files that others would find, and where one is near its end.
    Raises as `run_replicate`.
    """
    with ExitStack() as stack:
        arms = Arms(setup.workload_of, setup.settings, stack, baseline=setup.baseline)
        if together:
            arms.start(plans)
            arms.wait_at_barrier()
        order = [arm for arm in (arms.workers if together else plans) if steps or arm != setup.baseline]
        setup.order.shuffle(order)
        order = order if steps else [setup.baseline, *order]
        goes_on = together and then is not None
        found: dict[str, Stretch] = {}
        for arm in order:
            if not together:
                arms.start({arm: plans[arm]})
                arms.wait_at_barrier()
            if arm not in arms.workers:
                continue
            try:
                stretch = arms.run_alone(arm, steps=steps, seconds=0.0 if steps else seconds)
            except EndedEarly as end:
                raise MeasurementError(
                    f"{end}, which is too few for a stretch without interruption: train longer"
                ) from None
            if stretch is not None:
                found[arm] = stretch
                steps = steps or stretch.steps
                goes_on = goes_on and arms.is_fit_for_turns(arm, stretch)
            if not goes_on:
                arms.end(found)
        lockstep: Replicate | None = None
        if goes_on and then is not None:
            with contextlib.suppress(EndedEarly, MeasurementError):  # too near its end: fresh ones begin further away
                lockstep = _take_turns(setup, arms, number=number, pace=then)
        return Stretches(arms=found, failures=arms.failures, lockstep=lockstep)


class _TooShort(EndedEarly):
    """The program ended before enough rounds were through."""


def _run(setup: Setup, plans: Mapping[str, Plan], *, number: int, pace: Pace) -> Replicate:
    with ExitStack() as stack:
        arms = Arms(setup.workload_of, setup.settings, stack, baseline=setup.baseline)
        arms.start(plans)
        try:
            arms.warm_up()
        except EndedEarly as end:
            fewest = _FEWEST_STEPS + arms.warmup - WARMUP_STEPS
            raise MeasurementError(f"{end}, and {fewest} are needed at least: train longer") from None
        return _take_turns(setup, arms, number=number, pace=pace)


def _take_turns(setup: Setup, arms: Arms, *, number: int, pace: Pace) -> Replicate:
    """Rounds of turns of all warm arms. Raises _TooShort or MeasurementError where one ends after too few of them."""
    arms.pin_together()
    if not arms.workers:  # the only one, on its own, has failed
        return Replicate(blocks=(), failures=arms.failures)
    first = setup.baseline if setup.baseline in arms.workers else next(iter(arms.workers))
    steps = pace.steps_of_a_block(arms.step_time(first))
    rounds = pace.rounds_of(steps, [arms.step_time(arm) for arm in arms.workers])
    blocks: list[Block] = []
    for round_number in range(rounds):
        fresh = arms.run_round((number, round_number), steps=steps, order=setup.order)
        if fresh is None:
            _check_length(arms.program_steps or 0, round_number, pace)
            break
        blocks.extend(fresh)
    return _replicate(arms, blocks, ended_early=len(blocks) < rounds * len(arms.workers))


def _replicate(arms: Arms, blocks: Sequence[Block], *, ended_early: bool) -> Replicate:
    reports = {arm: worker.report for arm, worker in arms.workers.items()}
    return Replicate(
        blocks=arms.of_living(blocks),
        failures=arms.failures,
        startup={arm: arms.startup[arm] for arm in reports},
        memory={arm: report.memory for arm, report in reports.items()},
        threads={arm: report.threads for arm, report in reports.items()},
        loader_processes=max(report.children for report in reports.values()),
        optimizers=next(iter(reports.values())).optimizers,
        ended_early=ended_early,
        program_steps=arms.program_steps,
    )


def _longest_block(program_steps: int) -> int:
    """Timed steps of a block when so short a program must last for one round more than the fewest."""
    return (program_steps - WARMUP_STEPS) // (_FEWEST_ROUNDS + 1) - 1


def _check_length(program_steps: int, rounds: int, pace: Pace) -> None:
    """Raise where a program that has ended gave too few rounds: _TooShort where shorter turns would do."""
    if rounds >= _FEWEST_ROUNDS:
        return
    if pace.program_steps is None and _longest_block(program_steps) >= 1:
        raise _TooShort(program_steps)
    raise MeasurementError(
        f"the program ended after {program_steps} steps, and {_FEWEST_STEPS} are needed at least: train longer"
    )
