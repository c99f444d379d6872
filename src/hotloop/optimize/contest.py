"""A contest: several plans raced at once against the plan that is kept so far, in one heat or a few."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hotloop.measure.heat import Pace
from hotloop.measure.race import Race
from hotloop.measurement import Interval
from hotloop.optimize.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

KEPT = "kept"
_MARGIN = 0.01
_FIELD = 8
_ROUNDS = 8
_SPREAD = 0.01  # standard deviation of a log ratio between process pairs on a machine that is fit to measure on


@dataclass(frozen=True, kw_only=True)
class Contender:
    """What a contest showed of one plan: a failure, or its gain over the plan kept so far.

    The interval is that of a screening, for choosing and not for claiming: two standard errors around the mean.
    """

    name: str
    plan: Plan
    failure: Verdict | None = None
    gain: Interval | None = None
    startup: float = 0.0

    @property
    def is_promising(self) -> bool:
        """Whether its gain clears 1 % and one standard error."""
        if self.gain is None:
            return False
        error = (math.log(self.gain.high) - math.log(self.gain.low)) / 4
        return math.log(self.gain.median) > _MARGIN + error


def hold_contest(
    session: Session, kept: Plan, plans: Mapping[str, Plan], *, title: str, seconds: float, heats: int = 1
) -> tuple[Contender, ...]:
    """Race `kept` against each of at most eight `plans` and return all contenders, best first.

    `seconds` bounds the timed rounds of all heats and not the start-up. One heat is enough to choose by where the
    allocator is quiet; only `confirm` claims.
    """
    session.watch_load()
    field = dict(list(plans.items())[:_FIELD])
    race = session.race(title, {KEPT: kept, **field})
    for _ in range(heats):
        race.heat(Pace(rounds=_ROUNDS, most_seconds=seconds / heats))
    contenders = [_contender(race, name, plan) for name, plan in field.items()]
    return tuple(sorted(contenders, key=lambda c: c.gain.median if c.gain else 0.0, reverse=True))


def _contender(race: Race, name: str, plan: Plan) -> Contender:
    if name in race.failures:
        return Contender(name=name, plan=plan, failure=race.failures[name])
    effects = race.effects(name)
    mean = math.fsum(effect.log_ratio for effect in effects) / len(effects)
    error = math.hypot(*(math.hypot(effect.standard_error, _SPREAD) for effect in effects)) / len(effects)
    low, centre, high = (math.exp(mean + errors * error) for errors in (-2, 0, 2))
    gain = Interval(median=centre, low=low, high=high)
    return Contender(name=name, plan=plan, gain=gain, startup=race.startup(name))
