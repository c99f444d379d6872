"""The one figure that is quoted: the script as it stands against the whole plan, in fresh processes."""

import math
from dataclasses import dataclass

from hotloop.compare import inference as statistics
from hotloop.compare.comparison import Race
from hotloop.compare.replicate import AGAIN, BASELINE, Pace
from hotloop.measurement import Interval
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

PLAN = "plan"
_PACE = Pace(rounds=12)
_PATIENCE = 2.5
_SHARP = 1.10
_SHARP_PAIRS = 6


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """The ratio of the plan, the ratio of the script to itself (A/A), the verdict on the claim, and pay-back."""

    verdict: Verdict
    speedup: Interval | None
    aa: Interval | None
    pairs: int
    baseline_step: float | None
    payback_steps: int | None
    payback_seconds: float | None
    race: Race


def confirm(session: Session, plan: Plan, *, title: str, seconds: float) -> Confirmed:
    """Race baseline, baseline again and plan until the claim is decided or `seconds` are spent.

    Three heats at least; a program that takes too long for three leaves the claim open. An arm that fails is the
    verdict. A gain that is decided with a wide interval is measured on, up to six heats: a claim then has to hold at
    the end as well, so that looking longer cannot add a false one. Before the third heat the session says what size
    of effect the rest of the budget can prove.
    """
    session.watch_load()
    race = session.race(title, {BASELINE: Plan(), AGAIN: Plan(), PLAN: plan})
    deadline = session.elapsed + seconds
    while True:
        heat = race.heat(_paced(seconds, len(race.heats)))
        if heat.ended_early:
            session.note("the program ends by itself before a heat is through: it was measured with the steps it makes")
        if PLAN in race.failures:
            return _failed(race, race.failures[PLAN])
        effects, aa = race.effects(PLAN), race.effects(AGAIN)
        _announce(session, race, deadline)
        remaining = deadline - session.elapsed
        if statistics.decided(effects, aa) and _is_sharp(statistics.combine(effects, aa), len(effects)):
            break
        if remaining < race.seconds[-1] and len(effects) >= statistics.MINIMUM_PAIRS:
            break
        if session.elapsed > _PATIENCE * session.options.budget:  # too slow for three heats: the claim stays open
            break
        session.progress.say(f"{title}: heat {len(race.heats)} done, {speed_so_far(race)}")
    return _judged(race)


def _is_sharp(interval: Interval, pairs: int) -> bool:
    """Whether a figure is narrow enough to quote: within 5 % either way, or a gain seen by six pairs, or no gain."""
    return interval.low <= 1 or interval.high / interval.low <= _SHARP or pairs >= _SHARP_PAIRS


def speed_so_far(race: Race) -> str:
    """The ratio up to now, in words."""
    effects = race.effects(PLAN)
    return f"{math.exp(sum(e.log_ratio for e in effects) / len(effects)):.3f}x over {len(effects)} process pairs"


def _paced(seconds: float, heats: int) -> Pace:
    share = seconds / (4 if heats == 0 else 5)
    return Pace(rounds=_PACE.rounds, block_seconds=_PACE.block_seconds, most_seconds=max(3.0, 0.7 * share))


def _announce(session: Session, race: Race, deadline: float) -> None:
    """After the second heat the spread is known: say what the budget can prove, before the claim is measured on."""
    if len(race.heats) != 2:
        return
    spread = statistics.between_pair_spread(race.effects(AGAIN))
    affordable = 2 + int(max(0.0, deadline - session.elapsed) / race.seconds[-1])
    pairs = max(statistics.MINIMUM_PAIRS, min(statistics.MAXIMUM_PAIRS, affordable))
    provable = statistics.provable_effect(spread, pairs)
    session.note(
        f"process pairs of the same plan differ by {100 * spread:.1f} % here; the budget allows {pairs} pairs, "
        f"which can prove a difference of {100 * provable:.0f} % or more"
    )


def _judged(race: Race) -> Confirmed:
    effects, aa = race.effects(PLAN), race.effects(AGAIN)
    verdict = statistics.judge_speed(effects, aa)
    speedup = statistics.combine(effects, aa)
    baseline = race.step_time(BASELINE)
    gained = baseline - race.step_time(PLAN)
    compiling = max(0.0, race.startup(PLAN) - race.startup(BASELINE))
    steps = None if not verdict.passed or gained <= 0 else math.ceil(compiling / gained)
    return Confirmed(
        verdict=verdict,
        speedup=speedup,
        aa=statistics.combine(aa, aa),
        pairs=len(effects),
        baseline_step=baseline,
        payback_steps=steps,
        payback_seconds=None if steps is None else steps * (baseline - gained) + compiling,
        race=race,
    )


def _failed(race: Race, verdict: Verdict) -> Confirmed:
    aa = race.effects(AGAIN)
    return Confirmed(
        verdict=verdict,
        speedup=None,
        aa=statistics.combine(aa, aa) if aa else None,
        pairs=0,
        baseline_step=race.step_time(BASELINE),
        payback_steps=None,
        payback_seconds=None,
        race=race,
    )
