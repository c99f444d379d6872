"""Replicates of the same arms, one after another, and what they say so far."""

import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from hotloop.compare.comparison import Comparison
from hotloop.compare.inference import combine, memory_estimate, replicate_estimate, stretch_estimate
from hotloop.compare.replicate import (
    Pace,
    Replicate,
    Setup,
    Stretches,
    learn_memory,
    run_one_by_one,
    run_replicate,
    run_stretches,
)
from hotloop.compare.stretch import Stretch
from hotloop.errors import MeasurementError
from hotloop.estimate import Estimate
from hotloop.measurement import Clock, Interval, Memory
from hotloop.transform import Plan
from hotloop.verdict import Verdict

BASELINE = "baseline"
AGAIN = "again"
"""The A/A arm: the baseline a second time, in processes of its own."""


class ReplicateSeries:
    """Arms that are compared with the baseline; every replicate brings fresh processes of all that still run."""

    def __init__(self, setup: Setup, arms: Mapping[str, Plan], *, clock: Clock) -> None:
        self.arms = dict(arms)
        self.clock = clock
        self.replicates: list[Replicate] = []
        self.stretches: list[Stretches] = []
        self.failures: dict[str, Verdict] = {}
        self.seconds: list[float] = []
        self.at_once = len(self.arms)
        self._setup = setup

    def measure(self, pace: Pace) -> None:
        """Run one more replicate of all arms that have not failed.

        Where memory does not hold all of them together it is several, each with the baseline and as many others as fit;
        where it does not hold two, they run one after another.
        """
        self._count_at_once()
        others = [arm for arm in self.arms if arm != self._setup.baseline]
        size = max(1, self.at_once - 1 if self.is_lockstep_possible else len(others))
        groups = [others[start : start + size] for start in range(0, len(others), size)] or [[]]
        for group in groups:
            part = replace(pace, most_seconds=pace.most_seconds / len(groups))
            self._measure({arm: self.arms[arm] for arm in (self._setup.baseline, *group)}, part)

    def _measure(self, arms: Mapping[str, Plan], pace: Pace) -> None:
        began = time.monotonic()
        known = next((one.program_steps for one in self.replicates if one.program_steps), None)
        run = run_replicate if self.is_lockstep_possible else run_one_by_one
        replicate = run(self._setup, arms, number=len(self.replicates), pace=replace(pace, program_steps=known))
        if not replicate.blocks:
            raise MeasurementError("no round of turns was through before every program ended or failed; train longer")
        self.seconds.append(time.monotonic() - began)
        self.add(replicate)

    def add(self, replicate: Replicate) -> None:
        """Count a replicate that was measured elsewhere as one of these."""
        for block in replicate.blocks:
            self._setup.keep(block)
        self.replicates.append(replicate)
        self.failures.update(replicate.failures)
        self.drop(replicate.failures)

    def _count_at_once(self) -> None:
        """See how many arms memory holds together; the first process says what one takes."""
        admission = self._setup.settings.admission
        found = admission.at_once()
        if found is None:
            learn_memory(self._setup)
            found = admission.at_once()
        self.at_once = found or 1

    @property
    def is_lockstep_possible(self) -> bool:
        """Whether memory holds two arms together."""
        return self.at_once > 1

    @property
    def memory_note(self) -> str:
        """What a reader must know of arms that memory did not hold together; empty where it did."""
        taken = self._setup.settings.admission.taken.rss / 2**20
        if not self.is_lockstep_possible:
            return (
                f"one process takes {taken:.0f} MiB and memory does not hold two: arms ran one after another in fresh "
                "processes, and what the machine did meanwhile is in the interval"
            )
        if self.at_once < len(self.arms):
            return f"one process takes {taken:.0f} MiB: {self.at_once} arms were alive at once, the baseline among them"
        return ""

    def measure_alone(self, seconds: float, *, then: Pace | None = None) -> Stretches:
        """One more replicate without interruption: a stretch of each arm that has not failed, on its own.

        The first of them lasts `seconds`, all others have as many steps as that one. With `then` the same processes go
        on in lockstep where they can, see `run_stretches`.
        """
        began = time.monotonic()
        steps = next((one.arms[self._setup.baseline].steps for one in self.stretches), 0)
        self._count_at_once()
        together = self.at_once >= len(self.arms)
        found = run_stretches(
            self._setup,
            self.arms,
            number=len(self.stretches),
            steps=steps,
            seconds=seconds,
            together=together,
            then=then,
        )
        for arm, stretch in found.arms.items():
            self._setup.keep(stretch.block(arm, len(self.stretches)))
        self.seconds.append(time.monotonic() - began)
        self.stretches.append(found)
        self.failures.update(found.failures)
        self.drop(found.failures)
        return found

    @property
    def works_beside(self) -> bool:
        """Whether something of an arm may go on while others have their turn: processes, threads, loaders' queues."""
        return any(stretch.works_beside for found in self.stretches for stretch in found.arms.values())

    def drop(self, arms: Collection[str]) -> None:
        """Leave these arms out of the replicates to come."""
        self.arms = {arm: plan for arm, plan in self.arms.items() if arm not in arms}

    def estimates(self, arm: str) -> list[Estimate]:
        """One for each replicate in which `arm` ran: above 0 where it is faster than the baseline."""
        return [self._estimate(one, arm) for one in self.replicates if one.rounds(arm)]

    def memory_estimates(self, arm: str) -> list[Estimate]:
        """One for each replicate in lockstep in which `arm` ran: above 0 where its peak of memory is lower."""
        found = [one.memory for one in self.replicates if arm in one.memory and self._setup.baseline in one.memory]
        return [memory_estimate(memory[self._setup.baseline], memory[arm]) for memory in found]

    def comparison(self, arm: str) -> Comparison:
        """`arm` against the baseline in lockstep, beside the A/A arm."""
        return Comparison(self.estimates(arm), self.estimates(AGAIN))

    def alone(self, arm: str, *, trimmed: bool = False) -> Comparison:
        """`arm` against the baseline by their uninterrupted stretches, beside the A/A arm.

        By the time for equally many steps with everything between them; with `trimmed`, by a step as it mostly is.
        """
        ours, aa = (
            [
                self._stretch_estimate(found.arms[self._setup.baseline], found.arms[name], trimmed=trimmed)
                for found in self.stretches
                if name in found.arms
            ]
            for name in (arm, AGAIN)
        )
        return Comparison(ours, aa)

    def alone_by_memory(self, arm: str) -> Comparison:
        """`arm` against the baseline by the peaks of memory of their uninterrupted stretches, beside the A/A arm."""
        ours, aa = (
            [
                memory_estimate(found.arms[self._setup.baseline].memory, found.arms[name].memory)
                for found in self.stretches
                if name in found.arms
            ]
            for name in (arm, AGAIN)
        )
        return Comparison(ours, aa)

    def _stretch_estimate(self, baseline: Stretch, candidate: Stretch, *, trimmed: bool) -> Estimate:
        periods = (max(1, baseline.prefetched_steps), max(1, candidate.prefetched_steps))
        return stretch_estimate(self._samples(baseline), self._samples(candidate), trimmed=trimmed, periods=periods)

    def step_time_alone(self, arm: str) -> float:
        """Mean seconds of a step over all stretches, with everything between steps, on the series' clock."""
        return statistics.fmean(
            sample for found in self.stretches if arm in found.arms for sample in self._samples(found.arms[arm])
        )

    def memory_alone(self, arm: str) -> Memory:
        """Peak memory over all stretches."""
        return Memory.largest([found.arms[arm].memory for found in self.stretches if arm in found.arms])

    def _samples(self, stretch: Stretch) -> Sequence[float]:
        return {Clock.WALL: stretch.wall, Clock.CPU: stretch.cpu, Clock.CUDA: stretch.cuda}[self.clock]

    def interval(self, arm: str, aa: Sequence[Estimate] = ()) -> Interval:
        """The ratio by which `arm` is faster than the baseline, over all replicates."""
        return combine(self.estimates(arm), aa)

    def startup(self, arm: str) -> float:
        """Seconds of the first steps, compilation included, in the first replicate that ran the arm: the cold one."""
        return next((one.startup[arm] for one in self.replicates if arm in one.startup), 0.0)

    def memory(self, arm: str) -> Memory | None:
        """Peak memory over all replicates."""
        found = [one.memory[arm] for one in self.replicates if arm in one.memory]
        return Memory.largest(found) if found else None

    def step_time(self, arm: str) -> float:
        """Median seconds of a step over all replicates, on the series' clock."""
        return statistics.median(
            s for one in self.replicates for block in one.rounds(arm) for s in block.samples(self.clock)[1:]
        )

    def _estimate(self, replicate: Replicate, arm: str) -> Estimate:
        baseline, candidate = (
            [block.samples(self.clock) for block in replicate.rounds(name)] for name in (self._setup.baseline, arm)
        )
        return replicate_estimate(baseline, candidate)
