"""The one figure that is quoted: the script as it stands against the whole plan, in fresh processes."""

import math
from dataclasses import dataclass

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.compare.inference import between_replicate_spread
from hotloop.compare.power import provable_effect
from hotloop.compare.replicate import Pace
from hotloop.compare.series import AGAIN, BASELINE, ReplicateSeries
from hotloop.measurement import Interval, Memory
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

PLAN = "plan"
_PATIENCE = 2.5
_SHARP = 1.10
_SHARP_REPLICATES = 6


@dataclass(frozen=True, kw_only=True)
class Payback:
    """When what compiling cost has been earned back: 0 steps where there is nothing to earn, None for never."""

    steps: int | None = None
    seconds: float | None = None

    @staticmethod
    def of(*, baseline_step: float, plan_step: float, compiling: float) -> "Payback":
        """Of a plan that saves the difference of two step times and spends `compiling` seconds before it does."""
        gained = baseline_step - plan_step
        if gained <= 0:
            return Payback()
        steps = math.ceil(compiling / gained)
        return Payback(steps=steps, seconds=steps * plan_step + compiling)


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What was confirmed of a plan: the ratio of the plan, that of the script to itself (A/A), and the verdict.

    Without a verdict nothing was measured, and nothing is known.
    """

    verdict: Verdict | None = None
    speedup: Interval | None = None
    aa: Interval | None = None
    replicates: int = 0
    baseline_step: float | None = None
    payback: Payback = Payback()
    startup_seconds: float | None = None
    memory: Memory | None = None


def confirm(session: Session, plan: Plan, *, title: str, seconds: float) -> Confirmation:
    """Measure baseline, baseline again and plan until the claim is decided or `seconds` are spent.

    Three replicates at least; a program that takes too long for three leaves the claim open. An arm that fails is the
    verdict. A gain that is decided with a wide interval is measured on, up to six replicates: a claim then has to hold
    at the end as well, so that looking longer cannot add a false one. Before the third replicate the session says what
    size of effect the rest of the budget can prove.
    """
    session.watch_load()
    series = session.series(title, {BASELINE: Plan(), AGAIN: Plan(), PLAN: plan})
    deadline = session.elapsed + seconds
    while True:
        replicate = series.measure(_pace(seconds, len(series.replicates)))
        if replicate.ended_early:
            session.note(
                "the program ends by itself before a replicate is through: it was measured with the steps it makes"
            )
        if PLAN in series.failures:
            return _failed(series)
        comparison = series.comparison(PLAN)
        _announce(session, series, deadline)
        if comparison.decided() and _is_sharp(comparison):
            break
        if deadline - session.elapsed < series.seconds[-1] and comparison.replicates >= MINIMUM_REPLICATES:
            break
        if session.elapsed > _PATIENCE * session.options.budget:  # too slow for three: the claim stays open
            break
        session.progress.say(f"{title}: replicate {comparison.replicates} done, {speed_so_far(comparison)}")
    return _judged(series)


def _is_sharp(comparison: Comparison) -> bool:
    """Whether a figure is narrow enough to quote: within 5 % either way, or seen by six replicates, or no gain."""
    interval = comparison.interval
    return interval.low <= 1 or interval.high / interval.low <= _SHARP or comparison.replicates >= _SHARP_REPLICATES


def speed_so_far(comparison: Comparison) -> str:
    """The ratio up to now, in words."""
    mean = math.fsum(estimate.log_ratio for estimate in comparison.estimates) / comparison.replicates
    return f"{math.exp(mean):.3f}x over {comparison.replicates} replicates"


def _pace(seconds: float, replicates: int) -> Pace:
    share = seconds / (4 if replicates == 0 else 5)
    return Pace(most_seconds=max(3.0, 0.7 * share))


def _announce(session: Session, series: ReplicateSeries, deadline: float) -> None:
    """After the second replicate the spread is known: say what the budget can prove, before the claim is decided."""
    if len(series.replicates) != 2:
        return
    spread = between_replicate_spread(series.estimates(AGAIN))
    affordable = 2 + int(max(0.0, deadline - session.elapsed) / series.seconds[-1])
    replicates = max(MINIMUM_REPLICATES, min(MAXIMUM_REPLICATES, affordable))
    session.note(
        f"replicates of the same plan differ by {100 * spread:.1f} % here; the budget allows {replicates} of them, "
        f"which can prove a difference of {100 * provable_effect(spread, replicates):.0f} % or more"
    )


def _judged(series: ReplicateSeries) -> Confirmation:
    comparison = series.comparison(PLAN)
    verdict = comparison.verdict()
    baseline_step, plan_step = series.step_time(BASELINE), series.step_time(PLAN)
    compiling = max(0.0, series.startup(PLAN) - series.startup(BASELINE))
    payback = Payback.of(baseline_step=baseline_step, plan_step=plan_step, compiling=compiling)
    return Confirmation(
        verdict=verdict,
        speedup=comparison.interval,
        aa=comparison.aa_interval,
        replicates=comparison.replicates,
        baseline_step=baseline_step,
        payback=payback if verdict.passed else Payback(),
        startup_seconds=series.startup(PLAN),
        memory=series.memory(PLAN),
    )


def _failed(series: ReplicateSeries) -> Confirmation:
    aa = series.estimates(AGAIN)
    return Confirmation(
        verdict=series.failures[PLAN],
        aa=series.interval(AGAIN, aa) if aa else None,
        baseline_step=series.step_time(BASELINE),
    )
