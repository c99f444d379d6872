"""What this machine lets us prove: a program measured against itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES
from hotloop.compare.inference import aa_floor, between_replicate_spread, combine
from hotloop.compare.power import provable_effect
from hotloop.compare.replicate import Pace
from hotloop.compare.series import AGAIN, BASELINE
from hotloop.estimate import Estimate
from hotloop.measurement import Environment, Interval
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.transform import Plan
from hotloop.verdict import Outcome, Verdict
from hotloop.workload import Workload

_REPLICATES = (3, 5, 10)
_QUIET = 0.02


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """The A/A interval, the spread between replicates, and the smallest effect that so many of them can prove."""

    environment: Environment
    aa: Interval
    spread: float
    provable: dict[int, float]
    verdict: Verdict
    advice: tuple[str, ...]
    evidence: str

    def to_data(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "schema": 1,
            **asdict(self),
            "provable": {str(replicates): effect for replicates, effect in self.provable.items()},
        }

    def text(self) -> str:
        """The same for people."""
        environment = self.environment
        cores = f"{len(environment.cores)} cores, {environment.threads} threads"
        lines = [
            f"{environment.cpu}, {cores}, torch {environment.torch}",
            f"{self.verdict.outcome}: {self.verdict.message}",
            *(
                f"{replicates} replicates can prove {100 * effect:.1f} % or more"
                for replicates, effect in self.provable.items()
            ),
            *self.advice,
        ]
        return "\n".join(lines)


def check_machine(workload: Workload, *, options: Options, progress: Progress | None = None) -> MachineCheck:
    """Measure `workload` against itself until ten replicates or the budget are through.

    PASS where equal workers stay within 2 % of each other, INCONCLUSIVE where the machine is noisier than that.
    """
    with open_session("machine", workload, options, progress) as session:
        series = session.series("machine", {BASELINE: Plan(), AGAIN: Plan()})
        while len(series.replicates) < MAXIMUM_REPLICATES:
            series.measure(Pace(most_seconds=options.budget / 6))
            difference = 100 * series.estimates(AGAIN)[-1].log_ratio
            session.progress.say(f"replicate {len(series.replicates)}: equal workers differ by {difference:+.2f} %")
            if len(series.replicates) >= MINIMUM_REPLICATES and session.left < series.seconds[-1]:
                break
        return _judged(session, series.estimates(AGAIN))


def _judged(session: Session, aa: Sequence[Estimate]) -> MachineCheck:
    spread, floor = between_replicate_spread(aa), aa_floor(aa)
    quiet = floor <= _QUIET
    message = (
        f"equal workers differ by {100 * spread:.2f} % from replicate to replicate over {len(aa)} replicates; "
        f"the A/A floor is {100 * floor:.2f} %"
    )
    verdict = Verdict(
        gate="speed",
        outcome=Outcome.PASS if quiet else Outcome.INCONCLUSIVE,
        message=message,
        numbers={"spread": spread, "floor": floor, "replicates": float(len(aa))},
    )
    return MachineCheck(
        environment=session.environment,
        aa=combine(aa, aa),
        spread=spread,
        provable={replicates: provable_effect(spread, replicates) for replicates in _REPLICATES},
        verdict=verdict,
        advice=tuple(_advice(session.environment, quiet=quiet)) + tuple(session.notes),
        evidence=session.evidence,
    )


def _advice(environment: Environment, *, quiet: bool) -> list[str]:
    advice: list[str] = []
    if not quiet and not environment.allocators.keys() & {"tcmalloc", "mimalloc"}:
        advice.append("neither tcmalloc nor mimalloc is installed; either cuts this noise to a tenth on most machines")
    if environment.governor not in ("performance", "unknown"):
        advice.append(f"the CPU governor is {environment.governor!r}; 'performance' holds the clock still")
    if not environment.compiler:
        advice.append("no C++ compiler was found, so that nothing can be compiled on the CPU; install g++ or clang++")
    return advice
