"""What may be claimed of a plan whose objective is not throughput alone: verdicts on its memory and on its speed."""

from dataclasses import dataclass, replace

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.measurement import Interval
from hotloop.objective import MOST_SLOWDOWN, Objective
from hotloop.verdict import Outcome, Verdict

_ALLOWED = 1.0 / MOST_SLOWDOWN


@dataclass(frozen=True, kw_only=True)
class ObjectiveClaim:
    """The two comparisons of a plan, by speed and by peak memory (above 1 needs less), read under one objective.

    `speed_verdict` is the verdict on the speed alone, which decides where throughput is the objective.
    """

    objective: Objective
    speed: Comparison
    memory: Comparison
    speed_verdict: Verdict

    @property
    def is_decided(self) -> bool:
        """Whether to stop taking replicates: at least three, and every verdict that counts says PASS or FAIL."""
        if self.objective is Objective.THROUGHPUT:
            return self.speed.decided()
        if self.speed.replicates >= MAXIMUM_REPLICATES:
            return True
        outcomes = [verdict.outcome for verdict in self.verdicts()]
        return self.speed.replicates >= MINIMUM_REPLICATES and (
            Outcome.FAIL in outcomes or Outcome.INCONCLUSIVE not in outcomes
        )

    def verdicts(self) -> tuple[Verdict, ...]:
        """All that must pass: of gate "memory", where memory counts, and of gate "speed"."""
        if self.objective is Objective.THROUGHPUT:
            return (self.speed_verdict,)
        if self.objective is Objective.MEMORY:
            return self._memory_claim(), self._speed_allowed()
        return self._neither_worse()

    def _memory_claim(self) -> Verdict:
        """PASS where less by more than margin and floor, FAIL where more or not worth a claim, else INCONCLUSIVE."""
        found = replace(self.memory.verdict(), gate="memory")
        if self.memory.problem:
            return found
        finding = {
            Outcome.PASS: "proven to need less memory",
            Outcome.FAIL: "proven to need more memory"
            if self.memory.is_slower
            else "any saving of memory is proven to be too small to claim",
            Outcome.INCONCLUSIVE: "cannot tell whether it needs less memory",
        }[found.outcome]
        return replace(found, message=f"{finding}: {_less(self.memory)}, {_judged_against(self.memory)}")

    def _speed_allowed(self) -> Verdict:
        """Whether a step takes at most `MOST_SLOWDOWN` times as long, by the whole interval."""
        verdict = self.speed_verdict
        if self.speed.problem:
            return verdict
        interval = self.speed.interval
        if interval.low > _ALLOWED:
            outcome, finding = Outcome.PASS, "steps take no longer than allowed"
        elif interval.high < _ALLOWED:
            outcome, finding = Outcome.FAIL, "steps are proven to take longer than allowed"
        else:
            outcome, finding = Outcome.INCONCLUSIVE, "cannot tell whether steps take longer than allowed"
        message = f"{finding}, which is {MOST_SLOWDOWN:g} times as long: {_fast(self.speed)}"
        return replace(verdict, outcome=outcome, message=message)

    def _neither_worse(self) -> tuple[Verdict, Verdict]:
        memory = _side(self.memory, "memory", better="less memory", worse="more memory", figure=_less(self.memory))
        speed = _side(self.speed, "speed", better="faster", worse="slower", figure=_fast(self.speed))
        speed = self.speed_verdict if self.speed.is_faster and not self.speed_verdict.passed else speed
        if memory.passed and speed.passed and not (self.memory.is_faster or self.speed.is_faster):
            is_none = self.memory.is_no_gain and self.speed.is_no_gain
            outcome = Outcome.FAIL if is_none else Outcome.INCONCLUSIVE
            found = (
                "any gain is proven to be too small to claim" if is_none else "cannot tell whether anything is gained"
            )
            return memory, replace(speed, outcome=outcome, message=f"{found}: {speed.message}")
        return memory, speed


def _side(comparison: Comparison, gate: str, *, better: str, worse: str, figure: str) -> Verdict:
    """PASS where better or not worse by more than the margin, FAIL where proven worse, else INCONCLUSIVE."""
    found = replace(comparison.verdict(), gate=gate)
    if comparison.problem:
        return found
    if comparison.is_faster:
        outcome, finding = Outcome.PASS, f"proven {better}"
    elif comparison.is_slower:
        outcome, finding = Outcome.FAIL, f"proven {worse}"
    elif comparison.is_no_loss:
        outcome, finding = Outcome.PASS, f"not {worse} by {comparison.margin:.0%}"
    else:
        outcome, finding = Outcome.INCONCLUSIVE, f"cannot tell whether {worse}"
    return replace(found, outcome=outcome, message=f"{finding}: {figure}, {_judged_against(comparison)}")


def _judged_against(comparison: Comparison) -> str:
    return (
        f"to be judged against the larger of the {comparison.margin:.1%} margin and the "
        f"{comparison.floor:.1%} A/A floor"
    )


def _less(comparison: Comparison) -> str:
    return "" if comparison.problem else f"{_figure(comparison.interval)} times less over {_replicates(comparison)}"


def _fast(comparison: Comparison) -> str:
    return (
        "" if comparison.problem else f"{_figure(comparison.interval)} times the speed over {_replicates(comparison)}"
    )


def _replicates(comparison: Comparison) -> str:
    return f"{comparison.replicates} replicates"


def _figure(interval: Interval) -> str:
    return f"{interval.ratio:.3f} ({interval.low:.3f} to {interval.high:.3f})"
