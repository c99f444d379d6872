"""A contest: several plans raced at once against the plan that is kept so far, in one heat or a few."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hotloop.compare.comparison import Race
from hotloop.compare.replicate import Pace
from hotloop.measurement import Interval
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

KEPT = "kept"
_MARGIN = 0.01
_ROUNDS = 8
_LOOKS = 2  # more heats for those in doubt: a gain of 3 % drowns in the noise of one heat
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
        return math.log(self.gain.median) > _MARGIN + _error(self.gain)

    @property
    def is_doubtful(self) -> bool:
        """Whether it seems to gain more than 1 %, by no more than its own error."""
        return self.gain is not None and math.log(self.gain.median) > _MARGIN and not self.is_promising


def hold_contest(
    session: Session, kept: Plan, plans: Mapping[str, Plan], *, title: str, seconds: float, heats: int = 1
) -> tuple[Contender, ...]:
    """Race `kept` against each of `plans`, all alive at once, and return all contenders, best first.

    `seconds` bounds the timed rounds of all heats and not the start-up. One heat is enough to choose by where the
    allocator is quiet; only `confirm` claims.
    """
    session.watch_load()
    race = session.race(title, {KEPT: kept, **plans})
    for _ in range(heats):
        race.heat(Pace(rounds=_ROUNDS, most_seconds=seconds / heats))
    return _best_first(_contender(race, name, plan) for name, plan in plans.items())


def look_again(
    session: Session, kept: Plan, contest: Sequence[Contender], *, title: str, seconds: float, spare: float
) -> tuple[Contender, ...]:
    """The same contenders, those in doubt raced again, in up to two heats as far as they fit into `spare` seconds."""
    doubtful = {found.name: found.plan for found in contest if found.is_doubtful}
    for look in range(_LOOKS):
        began = session.elapsed
        if not doubtful or seconds > spare:
            break
        session.progress.say(f"{title}, in doubt and raced again: {', '.join(doubtful)}")
        seen = hold_contest(session, kept, doubtful, title=f"{title}, look {look + 2}", seconds=seconds)
        second = {found.name: found for found in seen}
        contest = [_merged(found, second[found.name]) if found.name in second else found for found in contest]
        doubtful = {found.name: found.plan for found in contest if found.is_doubtful}
        spare -= session.elapsed - began
    return _best_first(contest)


def _best_first(contenders: Iterable[Contender]) -> tuple[Contender, ...]:
    return tuple(sorted(contenders, key=lambda c: c.gain.median if c.gain else 0.0, reverse=True))


def _merged(first: Contender, second: Contender) -> Contender:
    """Both looks as one, each weighted by the inverse of its variance; a failure in the second is the answer."""
    if first.gain is None or second.gain is None:
        return replace(second, startup=first.startup)
    gains = (first.gain, second.gain)
    weights = [_error(gain) ** -2 for gain in gains]
    mean = sum(weight * math.log(gain.median) for weight, gain in zip(weights, gains, strict=True)) / sum(weights)
    return replace(first, gain=_gain(mean, sum(weights) ** -0.5))


def _contender(race: Race, name: str, plan: Plan) -> Contender:
    if name in race.failures:
        return Contender(name=name, plan=plan, failure=race.failures[name])
    effects = race.effects(name)
    mean = math.fsum(effect.log_ratio for effect in effects) / len(effects)
    error = math.hypot(*(math.hypot(effect.standard_error, _SPREAD) for effect in effects)) / len(effects)
    return Contender(name=name, plan=plan, gain=_gain(mean, error), startup=race.startup(name))


def _gain(mean: float, error: float) -> Interval:
    """A ratio from the mean of its log, with two standard errors either way."""
    low, centre, high = (math.exp(mean + errors * error) for errors in (-2, 0, 2))
    return Interval(median=centre, low=low, high=high)


def _error(gain: Interval) -> float:
    """The standard error that `_gain` was given."""
    return (math.log(gain.high) - math.log(gain.low)) / 4
