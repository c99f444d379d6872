"""What this machine lets us prove: a program raced against itself."""

from dataclasses import asdict, dataclass
from typing import Any

from hotloop.compare import inference as statistics
from hotloop.compare.comparison import Race
from hotloop.compare.replicate import AGAIN, BASELINE, Pace
from hotloop.measurement import Environment, Interval
from hotloop.proof.session import Options, Progress, Session, open_session
from hotloop.transform import Plan
from hotloop.verdict import Outcome, Verdict
from hotloop.workload import Workload

_PAIRS = (3, 5, 10)
_QUIET = 0.02


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """The A/A interval, the spread between process pairs, and the smallest effect that so many pairs can prove."""

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
            "provable": {str(pairs): effect for pairs, effect in self.provable.items()},
        }

    def text(self) -> str:
        """The same for people."""
        environment = self.environment
        cores = f"{len(environment.cores)} cores, {environment.threads} threads"
        lines = [
            f"{environment.cpu}, {cores}, torch {environment.torch}",
            f"{self.verdict.outcome}: {self.verdict.message}",
            *(
                f"{pairs} process pairs can prove {100 * effect:.1f} % or more"
                for pairs, effect in self.provable.items()
            ),
            *self.advice,
        ]
        return "\n".join(lines)


def check_machine(workload: Workload, *, options: Options, progress: Progress | None = None) -> MachineCheck:
    """Race `workload` against itself until ten pairs or the budget are through.

    PASS where equal workers stay within 2 % of each other, INCONCLUSIVE where the machine is noisier than that.
    """
    with open_session("machine", workload, options, progress) as session:
        race = session.race("machine", {BASELINE: Plan(), AGAIN: Plan()})
        while len(race.heats) < statistics.MAXIMUM_PAIRS:
            race.heat(Pace(most_seconds=options.budget / 6))
            session.progress.say(f"pair {len(race.heats)}: {_percent(race)}")
            if len(race.heats) >= statistics.MINIMUM_PAIRS and session.left < race.seconds[-1]:
                break
        return _judged(session, race)


def _percent(race: Race) -> str:
    return f"equal workers differ by {100 * race.effects(AGAIN)[-1].log_ratio:+.2f} %"


def _judged(session: Session, race: Race) -> MachineCheck:
    effects = race.effects(AGAIN)
    spread, floor = statistics.between_pair_spread(effects), statistics.floor(effects)
    quiet = floor <= _QUIET
    message = (
        f"equal workers differ by {100 * spread:.2f} % from pair to pair over {len(effects)} pairs; "
        f"the A/A floor is {100 * floor:.2f} %"
    )
    verdict = Verdict(
        gate="speed",
        outcome=Outcome.PASS if quiet else Outcome.INCONCLUSIVE,
        message=message,
        numbers={"spread": spread, "floor": floor, "pairs": float(len(effects))},
    )
    return MachineCheck(
        environment=session.environment,
        aa=statistics.combine(effects, effects),
        spread=spread,
        provable={pairs: statistics.provable_effect(spread, pairs) for pairs in _PAIRS},
        verdict=verdict,
        advice=tuple(_advice(session.environment, quiet=quiet)) + tuple(session.notes),
        evidence=session.evidence,
    )


def _advice(environment: Environment, *, quiet: bool) -> list[str]:
    advice: list[str] = []
    if not quiet and "tcmalloc" not in environment.allocators:
        advice.append("tcmalloc is not installed; preloading it cuts this noise to a tenth on most machines")
    if environment.governor not in ("performance", "unknown"):
        advice.append(f"the CPU governor is {environment.governor!r}; 'performance' holds the clock still")
    if not environment.compiler:
        advice.append("no C++ compiler was found, so that nothing can be compiled on the CPU; install g++ or clang++")
    return advice
