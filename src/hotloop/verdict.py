"""Verdict: PASS, FAIL or INCONCLUSIVE, with its numbers in one sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What a gate answers; only PASS lets anything through."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """0 proven, 1 not, 3 could not tell (2 is for usage errors)."""
        return {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}[self]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer of one gate.

    `gate` is one of: applies, runs, step, drift, parity, speed, memory, or the name of a guarded metric. `message` is
    one sentence with the numbers in it; `numbers` holds the same figures for machines.
    """

    gate: str
    outcome: Outcome
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def passed(self) -> bool:
        """True only where the gate said PASS."""
        return self.outcome is Outcome.PASS


def does_not_apply(reason: object) -> Verdict:
    """A FAIL of a transform that has nothing to act on here, or that cannot."""
    return Verdict(gate="applies", outcome=Outcome.FAIL, message=f"does not apply here: {reason}")


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """FAIL before INCONCLUSIVE before PASS; no verdict at all is INCONCLUSIVE (gates fail closed)."""
    outcomes = {verdict.outcome for verdict in verdicts}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS):
        if outcome in outcomes:
            return outcome
    return Outcome.INCONCLUSIVE
