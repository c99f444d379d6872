"""A race: heats of the same arms, one after another, and what they say so far."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hotloop.compare import inference as statistics
from hotloop.compare.inference import PairEffect
from hotloop.compare.replicate import Heat, Pace, run_heat
from hotloop.errors import MeasurementError
from hotloop.measurement import Block, Clock, Interval, Memory
from hotloop.transform import Plan
from hotloop.verdict import Verdict
from hotloop.worker.process import Settings
from hotloop.workload import Workload


class Race:
    """Arms that are compared with the first of them; every heat brings fresh processes of all that still run."""

    def __init__(
        self,
        workload: Workload,
        arms: Mapping[str, Plan],
        settings: Settings,
        *,
        clock: Clock,
        order: random.Random,
        keep: Callable[[Block], None] = lambda block: None,
    ) -> None:
        self.arms = dict(arms)
        self.first = next(iter(arms))
        self.clock = clock
        self.heats: list[Heat] = []
        self.failures: dict[str, Verdict] = {}
        self.seconds: list[float] = []
        self._workload = workload
        self._settings = settings
        self._order = order
        self._keep = keep

    def heat(self, pace: Pace) -> Heat:
        """Run one more heat of all arms that have not failed."""
        began = time.monotonic()
        known = next((heat.program_steps for heat in self.heats if heat.program_steps), None)
        heat = run_heat(
            self._workload,
            self.arms,
            self._settings,
            pair=len(self.heats),
            pace=replace(pace, program_steps=known),
            order=self._order,
            keep=self._keep,
        )
        if not heat.blocks:
            raise MeasurementError("no round of turns was through before every program ended or failed; train longer")
        self.seconds.append(time.monotonic() - began)
        self.heats.append(heat)
        self.failures.update(heat.failures)
        self.drop(heat.failures)
        return heat

    def drop(self, arms: Sequence[str] | Mapping[str, Verdict]) -> None:
        """Leave these arms out of the heats to come."""
        self.arms = {arm: plan for arm, plan in self.arms.items() if arm not in arms}

    def effects(self, arm: str) -> list[PairEffect]:
        """One effect for each heat in which `arm` ran: above 0 where it is faster than the first arm."""
        return [self._effect(heat, arm) for heat in self.heats if heat.rounds(arm)]

    def interval(self, arm: str, aa: Sequence[PairEffect] = ()) -> Interval:
        """The ratio by which `arm` is faster than the first, over all heats."""
        return statistics.combine(self.effects(arm), aa)

    def startup(self, arm: str) -> float:
        """Seconds of the first steps, compilation included, in the first heat that ran the arm: the cold one."""
        return next((heat.startup[arm] for heat in self.heats if arm in heat.startup), 0.0)

    def memory(self, arm: str) -> Memory | None:
        """Peak memory over all heats."""
        found = [heat.memory[arm] for heat in self.heats if arm in heat.memory]
        if not found:
            return None
        return Memory(
            rss=max(m.rss for m in found),
            cuda_allocated=max(m.cuda_allocated for m in found),
            cuda_reserved=max(m.cuda_reserved for m in found),
        )

    def step_time(self, arm: str) -> float:
        """Median seconds of a step over all heats, on the race's clock."""
        import statistics as plain

        steps = [s for heat in self.heats for block in heat.rounds(arm) for s in block.samples(self.clock)[1:]]
        return plain.median(steps)

    def _effect(self, heat: Heat, arm: str) -> PairEffect:
        baseline, candidate = ([b.samples(self.clock) for b in heat.rounds(name)] for name in (self.first, arm))
        return statistics.pair_effect(baseline, candidate)
