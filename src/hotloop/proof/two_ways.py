"""A plan measured in two ways, in lockstep and without interruption, and which of the two figures is quoted."""

from dataclasses import dataclass

from hotloop.compare.comparison import Comparison
from hotloop.compare.replicate import Pace
from hotloop.compare.series import AGAIN, BASELINE, ReplicateSeries
from hotloop.measurement import Clock
from hotloop.proof.session import Session
from hotloop.transform import Plan, Stage
from hotloop.verdict import Outcome, Verdict

PLAN = "plan"
_SECONDS_OF_A_STRETCH = (1.0, 10.0)  # least and most
_SHARE_OF_A_STRETCH = 1 / 36  # of the time for confirming: three arms of some four replicates, and as much in lockstep


@dataclass(frozen=True, kw_only=True)
class TwoWays:
    """Baseline, baseline again and plan, in two series of replicates.

    In lockstep neighbouring blocks are compared, which is steadier; but what an arm does while others have their turn
    is free there. So wherever an arm works beside its steps only the stretches count, and elsewhere they are the check.
    """

    lockstep: ReplicateSeries
    stretches: ReplicateSeries
    changes_loading: bool

    @staticmethod
    def of(session: Session, plan: Plan, *, title: str) -> "TwoWays":
        """Nothing is measured yet."""
        arms = {BASELINE: Plan(), AGAIN: Plan(), PLAN: plan}
        changes_loading = bool(plan.at(Stage.DATA))
        # What a loader waits for costs no CPU time: beside other load too only wall time tells what it gains.
        clock = Clock.WALL if changes_loading and session.clock is Clock.CPU else session.clock
        return TwoWays(
            lockstep=session.series(title, arms, clock=clock),
            stretches=session.series(f"{title}, uninterrupted", arms, clock=clock),
            changes_loading=changes_loading,
        )

    @property
    def clock(self) -> Clock:
        """The clock that both are read from."""
        return self.stretches.clock

    def measure(self, seconds: float) -> None:
        """One more replicate in both ways, as far as both count; `seconds` is the time for all replicates."""
        least, most = _SECONDS_OF_A_STRETCH
        stretch = min(most, max(least, seconds * _SHARE_OF_A_STRETCH))
        share = 0.7 * seconds / (4 if not self.lockstep.replicates else 5)
        pace = Pace(most_seconds=max(3.0, share - 3 * stretch))
        found = self.stretches.measure_alone(stretch, then=pace if self.goes_on else None)
        self.lockstep.at_once = self.stretches.at_once
        if found.lockstep is not None:
            self.lockstep.add(found.lockstep)
        elif not self.works_beside and self.failure is None:
            self.lockstep.measure(pace)

    @property
    def goes_on(self) -> bool:
        """Whether processes that had their stretches are worth trying in lockstep: once they were not, never again."""
        tried = self.stretches.stretches
        return not self.changes_loading and all(one.lockstep is not None for one in tried)

    @property
    def failure(self) -> Verdict | None:
        """Why the plan did not run, where it did not."""
        return self.stretches.failures.get(PLAN) or self.lockstep.failures.get(PLAN)

    @property
    def works_beside(self) -> bool:
        """Whether lockstep would give something away, so that only the stretches count."""
        return self.changes_loading or self.stretches.works_beside or not self.lockstep.is_lockstep_possible

    @property
    def ended_early(self) -> bool:
        """Whether the program came to its own end before a replicate was through."""
        return any(replicate.ended_early for replicate in self.lockstep.replicates)

    @property
    def step(self) -> Comparison:
        """By a step, in lockstep; where that does not count no step stands for others, since batches come in bursts."""
        return self.program if self.works_beside else self.lockstep.comparison(PLAN)

    @property
    def program(self) -> Comparison:
        """By the time for equally many steps, with everything that the program does between them."""
        return self.stretches.alone(PLAN)

    @property
    def memory(self) -> Comparison:
        """By the peak of memory at the end of a stretch; above 1 needs less."""
        return self.stretches.alone_by_memory(PLAN)

    @property
    def agree(self) -> bool:
        """Whether the figure of lockstep lies in the interval of a step that was not interrupted."""
        interval, found = self.stretches.alone(PLAN, trimmed=True).interval, self.step.interval
        return interval.low <= found.ratio <= interval.high

    @property
    def method(self) -> str:
        """How the figure that is quoted was measured."""
        return "without interruption" if self.works_beside or not self.agree else "in lockstep"

    @property
    def quoted(self) -> Comparison:
        """The comparison that the claim rests on."""
        return self.step if self.method == "in lockstep" else self.program

    def verdict(self) -> Verdict:
        """That of the quoted comparison; FAIL where a step is faster and the program as it stands is proven slower."""
        verdict = self.quoted.verdict()
        if verdict.passed and self.program.is_slower:
            message = f"a step is faster, the program is not: {self.program.verdict().message}"
            return Verdict(gate="speed", outcome=Outcome.FAIL, message=message, numbers=verdict.numbers)
        return verdict

    def notes(self) -> list[str]:
        """What a reader must know of how it was measured."""
        step, program = self.step.interval, self.program.interval
        larger = "the step gains more" if step.ratio > program.ratio else "the program gains more"
        if min(step.high, program.high) >= max(step.low, program.low):
            larger = f"{larger}, by no more than the intervals leave open"
        said = (
            []
            if self.works_beside
            else [
                f"a step runs at {step.ratio:.2f}x [{step.low:.2f}, {step.high:.2f}], the program with all between its "
                f"steps at {program.ratio:.2f}x [{program.low:.2f}, {program.high:.2f}]: {larger}"
            ]
        )
        if self.works_beside:
            reason = "the plan changes loading" if self.changes_loading else "something works beside the steps"
            reason = reason if self.lockstep.is_lockstep_possible else "memory does not hold two of them"
            said.append(f"measured without interruption, one arm at a time: {reason}")
        elif not self.agree:
            said.append(
                "lockstep and uninterrupted stretches disagree about a step; the uninterrupted figure is quoted"
            )
        return [*said, *filter(None, [self.stretches.memory_note, *self._ranks()])]

    def _ranks(self) -> list[str]:
        """Which rank is the slowest, of the script as it stands and under the plan."""
        if not self.stretches.stretches:
            return []
        arms = self.stretches.stretches[-1].arms
        return [f"{arm}: {arms[arm].slowest_rank}" for arm in (BASELINE, PLAN) if arms[arm].slowest_rank]
