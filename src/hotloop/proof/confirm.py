"""The one figure that is quoted: the script as it stands against the whole plan, in fresh processes."""

import math
from dataclasses import dataclass

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.compare.inference import between_replicate_spread
from hotloop.compare.power import provable_effect
from hotloop.compare.series import AGAIN, BASELINE
from hotloop.measurement import Clock, Interval, Memory
from hotloop.objective import Objective
from hotloop.proof.objective_claim import ObjectiveClaim
from hotloop.proof.session import Session
from hotloop.proof.two_ways import PLAN, TwoWays
from hotloop.transform import Plan
from hotloop.verdict import Verdict

PATIENCE = 2.5
"""Budgets after which a program that takes too long for three replicates leaves its claim open."""

_SHARP = 1.10
_SHARP_REPLICATES = 6


@dataclass(frozen=True, kw_only=True)
class Payback:
    """When what a plan costs before training has been earned back: 0 steps for nothing to earn, None for never."""

    steps: int | None = None
    seconds: float | None = None

    @staticmethod
    def of(*, baseline_step: float, plan_step: float, spent: float) -> "Payback":
        """Of a plan that saves the difference of two step times and spends `spent` seconds before it does."""
        gained = baseline_step - plan_step
        if gained <= 0:
            return Payback()
        steps = math.ceil(spent / gained)
        return Payback(steps=steps, seconds=steps * plan_step + spent)


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What was confirmed of a plan: its ratio, that of the script to itself (A/A), and the verdict.

    `step` is the ratio of a step, `program` that of the time for equally many steps with all that the program does
    between them; `speedup` is the one of the two that is quoted, measured by `method`. `memory_ratio` is how many times
    less the peak of memory is; `memory_verdict` is there where the objective counts memory. Without a verdict nothing
    was measured, and nothing is known.
    """

    verdict: Verdict | None = None
    memory_verdict: Verdict | None = None
    speedup: Interval | None = None
    step: Interval | None = None
    program: Interval | None = None
    clock: Clock | None = None
    method: str = ""
    stopped_by: str = ""
    aa: Interval | None = None
    replicates: int = 0
    baseline_step: float | None = None
    payback: Payback = Payback()
    startup_seconds: float | None = None
    memory: Memory | None = None
    baseline_memory: Memory | None = None
    memory_ratio: Interval | None = None
    memory_aa: Interval | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those that were reached, of memory and of speed."""
        return tuple(filter(None, (self.memory_verdict, self.verdict)))


def confirm(session: Session, plan: Plan, *, title: str, seconds: float) -> Confirmation:
    """Measure baseline, baseline again and plan until the claim is decided or `seconds` are spent.

    Each replicate is measured in fresh processes, without interruption and, where that gives nothing away, in lockstep
    (see `TwoWays`). Three replicates at least; a program that takes too long for three leaves the claim open. An arm
    that fails is the verdict. A gain that is decided with a wide interval is measured on, up to six replicates: a claim
    then has to hold at the end as well, so that looking longer cannot add a false one.
    """
    session.watch_load()
    both = TwoWays.of(session, plan, title=title)
    deadline = session.elapsed + seconds
    while True:
        began = session.elapsed
        both.measure(seconds)
        if both.ended_early:
            session.note(
                "the program ends by itself before a replicate is through: it was measured with the steps it makes"
            )
        if both.failure is not None:
            return _failed(both)
        quoted, last = both.quoted, session.elapsed - began
        _announce(session, quoted, affordable=quoted.replicates + int(max(0.0, deadline - session.elapsed) / last))
        claim = _claim(session, both)
        if claim.is_decided and is_sharp(claim.memory if session.options.objective is Objective.MEMORY else quoted):
            break
        if deadline - session.elapsed < last and quoted.replicates >= MINIMUM_REPLICATES:
            break
        if session.elapsed > PATIENCE * session.options.budget:  # too slow for three: the claim stays open
            break
        session.progress.say(f"{title}: replicate {quoted.replicates} done, {speed_so_far(quoted)}")
    for note in both.notes():
        session.note(note)
    return _judged(both, _claim(session, both))


def _claim(session: Session, both: TwoWays) -> ObjectiveClaim:
    return ObjectiveClaim(
        objective=session.options.objective, speed=both.quoted, memory=both.memory, speed_verdict=both.verdict()
    )


def is_sharp(comparison: Comparison) -> bool:
    """Whether a figure is narrow enough to quote: within 5 % either way, or seen by six replicates, or no gain."""
    interval = comparison.interval
    return interval.low <= 1 or interval.high / interval.low <= _SHARP or comparison.replicates >= _SHARP_REPLICATES


def speed_so_far(comparison: Comparison) -> str:
    """The ratio up to now, in words."""
    mean = math.fsum(estimate.log_ratio for estimate in comparison.estimates) / comparison.replicates
    return f"{math.exp(mean):.3f}x over {comparison.replicates} replicates"


def _announce(session: Session, comparison: Comparison, *, affordable: int) -> None:
    """After the second replicate the spread is known: say what the budget can prove, before the claim is decided."""
    if comparison.replicates != 2:
        return
    spread = between_replicate_spread(comparison.aa)
    replicates = max(MINIMUM_REPLICATES, min(MAXIMUM_REPLICATES, affordable))
    session.note(
        f"replicates of the same plan differ by {100 * spread:.1f} % here; the budget allows {replicates} of them, "
        f"which can prove a difference of {100 * provable_effect(spread, replicates):.0f} % or more"
    )


def _judged(both: TwoWays, claim: ObjectiveClaim) -> Confirmation:
    *memory_verdict, verdict = claim.verdicts()
    quoted, memory = claim.speed, claim.memory
    first = both.stretches.stretches[0].arms
    baseline_step, plan_step = both.stretches.step_time_alone(BASELINE), both.stretches.step_time_alone(PLAN)
    extra = max(0.0, first[PLAN].startup_seconds - first[BASELINE].startup_seconds)
    payback = Payback.of(baseline_step=baseline_step, plan_step=plan_step, spent=extra)
    return Confirmation(
        verdict=verdict,
        memory_verdict=memory_verdict[0] if memory_verdict else None,
        speedup=quoted.interval,
        step=both.step.interval,
        program=both.program.interval,
        clock=both.clock,
        method=both.method,
        stopped_by=first[BASELINE].stopped_by,
        aa=quoted.aa_interval,
        replicates=quoted.replicates,
        baseline_step=baseline_step,
        payback=payback if verdict.passed else Payback(),
        startup_seconds=first[PLAN].startup_seconds,
        memory=both.stretches.memory_alone(PLAN),
        baseline_memory=both.stretches.memory_alone(BASELINE),
        memory_ratio=memory.interval,
        memory_aa=memory.aa_interval,
    )


def _failed(both: TwoWays) -> Confirmation:
    aa = both.stretches.alone(AGAIN)
    return Confirmation(
        verdict=both.failure,
        aa=aa.aa_interval if aa.aa else None,
        baseline_step=both.stretches.step_time_alone(BASELINE),
    )
