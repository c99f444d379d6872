"""What the step gate and the drift gate say of a plan."""

from dataclasses import dataclass, field, replace

from hotloop.trial import Curves
from hotloop.verdict import Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """Verdicts of both gates, the curves behind them, what a reader should know, and which sites the plan reached.

    `idle` is the reason why nothing of the plan acted while it was watched, where nothing did.
    """

    verdicts: tuple[Verdict, ...]
    curves: Curves = field(default_factory=Curves)
    notes: tuple[str, ...] = ()
    reached: str = ""
    idle: str = ""


def inconclusive(reason: str) -> GateResult:
    """Nothing can be said, for this reason."""
    return GateResult(verdicts=(Verdict(gate="drift", outcome=Outcome.INCONCLUSIVE, message=reason),))


def not_proven(result: GateResult, reason: str) -> GateResult:
    """INCONCLUSIVE in place of a PASS that has not seen everything."""
    first, *rest = result.verdicts
    first = replace(first, outcome=Outcome.INCONCLUSIVE, message=f"{reason}; for the rest: {first.message}")
    return replace(result, verdicts=(first, *rest))


def refused(reason: str) -> GateResult:
    """A FAIL of the step gate."""
    return GateResult(verdicts=(Verdict(gate="step", outcome=Outcome.FAIL, message=reason),))


def with_coverage(result: GateResult, seen: str) -> GateResult:
    """The same result; where it passes, its first verdict says what it looked at, and what the plan reached.

    INCONCLUSIVE where it has looked at nothing: the plan did not act in these steps.
    """
    first, *rest = result.verdicts
    if not first.passed or seen in first.message:
        return result
    if result.idle:
        return not_proven(result, result.idle)
    reached = f"; the plan acts: {result.reached}" if result.reached else ""
    return replace(result, verdicts=(replace(first, message=f"{first.message}; {seen}{reached}"), *rest))


def holds(result: GateResult) -> bool:
    """Whether all verdicts passed."""
    return all(verdict.passed for verdict in result.verdicts)
