"""Step time, throughput and peak memory: base and head in lockstep and without interruption, beside an A/A arm."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from hotloop.compare.comparison import MAXIMUM_REPLICATES, MINIMUM_REPLICATES, Comparison
from hotloop.compare.inference import stretch_estimate
from hotloop.compare.replicate import Replicate
from hotloop.compare.series import AGAIN, BASELINE
from hotloop.guard.limits import TIMED, GuardSettings
from hotloop.guard.metric import Metric, Quantity, judge_comparison
from hotloop.guard.units import mebibytes, per_second, seconds
from hotloop.measurement import Clock, Interval
from hotloop.proof.confirm import PATIENCE
from hotloop.proof.session import Session
from hotloop.proof.two_ways import PLAN, TwoWays
from hotloop.transform import Plan
from hotloop.verdict import Outcome, Verdict
from hotloop.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The metrics that replicates give, the ratio of the base to itself, and why head did not run where it did not."""

    metrics: tuple[Metric, ...] = ()
    failure: Verdict | None = None
    step: Interval | None = None
    aa: Interval | None = None
    replicates: int = 0
    notes: tuple[str, ...] = ()


def measure_timed(session: Session, head: Workload, settings: GuardSettings, *, seconds: float) -> Timed:
    """Replicates of base, base again and head until every metric is decided or `seconds` are spent; three at least.

    Raises as the base does where it cannot run.
    """
    both = two_ways(session, {PLAN: head}, settings)
    wanted = [name for name in TIMED if name in settings.metrics]
    deadline = session.elapsed + seconds
    while True:
        began = session.elapsed
        both.measure(seconds)
        if both.failure is not None:
            return Timed(failure=both.failure)
        replicates, last = both.program.replicates, session.elapsed - began
        metrics = [timed_metric(name, both, settings) for name in wanted]
        undecided = [metric.name for metric in metrics if metric.verdict is Outcome.INCONCLUSIVE]
        session.progress.say(f"replicate {replicates}: {', '.join(undecided) or 'nothing'} still open")
        is_late = deadline - session.elapsed < last
        if replicates >= MINIMUM_REPLICATES and (not undecided or is_late or replicates >= MAXIMUM_REPLICATES):
            break
        if session.elapsed > PATIENCE * session.options.budget:  # too slow for three: what is open stays open
            break
    return Timed(
        metrics=tuple(metrics),
        step=both.step.interval,
        aa=both.step.aa_interval,
        replicates=replicates,
        notes=tuple(both.notes()),
    )


def two_ways(session: Session, workloads: Mapping[str, Workload], settings: GuardSettings) -> TwoWays:
    """Base, base again, and the candidate: the same plan for all, another workload for some.

    tcmalloc is that plan, or else mimalloc: equal processes then differ by a tenth of what they do under glibc's.
    """
    plan = Plan() if settings.allocator == "system" else _steady_allocator(session)
    arms: dict[str, Plan] = dict.fromkeys((BASELINE, AGAIN, PLAN), plan)
    return TwoWays(
        lockstep=session.series("guard", arms, workloads=workloads),
        stretches=session.series("guard, uninterrupted", arms, workloads=workloads),
        changes_loading=False,
    )


def _steady_allocator(session: Session) -> Plan:
    for library in ("tcmalloc", "mimalloc"):
        plan = Plan.from_data([{"name": "allocator", "library": library}])
        if session.applicability(plan.transforms[0]) is None:
            session.note(f"both sides were timed under {library}, which makes equal processes differ less")
            return plan
    return Plan()


def log_ratios(name: str, both: TwoWays) -> list[float]:
    """By how much the candidate was worse in each replicate, on the log scale."""
    if name == "peak_memory":
        return [-estimate.log_ratio for estimate in both.memory.estimates]
    comparison = _step(both) if name == "step_time" else _throughput(both)
    return [-estimate.log_ratio for estimate in comparison.estimates]


def timed_metric(name: str, both: TwoWays, settings: GuardSettings) -> Metric:
    """One metric of what was measured so far."""
    limit = settings.limits[name]
    if name != "peak_memory":
        comparison = _step(both) if name == "step_time" else _throughput(both)
        base = both.stretches.step_time_alone(BASELINE) if both.works_beside else both.lockstep.step_time(BASELINE)
        head = base * math.exp(-statistics.fmean(estimate.log_ratio for estimate in comparison.estimates))
        if name == "step_time":
            return judge_comparison(Quantity(name=name, written=seconds), comparison, limit, base=base, head=head)
        quantity = Quantity(name=name, written=per_second, larger_is_worse=False)
        return judge_comparison(quantity, comparison, limit, base=1 / base, head=1 / head)
    stretches = both.stretches.stretches
    means = [statistics.fmean(one.arms[arm].memory.peak for one in stretches) for arm in (BASELINE, PLAN)]
    return judge_comparison(Quantity(name=name, written=mebibytes), both.memory, limit, base=means[0], head=means[1])


def _step(both: TwoWays) -> Comparison:
    """By a step as it mostly is: in lockstep, unless that gives something away."""
    return both.step if both.works_beside or both.agree else both.stretches.alone(PLAN, trimmed=True)


def _throughput(both: TwoWays) -> Comparison:
    """By the time of all steps with what lies between them; no block of lockstep is left out: few pay for an epoch."""
    if both.works_beside:
        return both.program
    ours, aa = (
        [
            stretch_estimate(_samples(one, BASELINE, both.clock), _samples(one, arm, both.clock), trimmed=False)
            for one in both.lockstep.replicates
            if one.rounds(arm)
        ]
        for arm in (PLAN, AGAIN)
    )
    return Comparison(ours, aa)


def _samples(replicate: Replicate, arm: str, clock: Clock) -> list[float]:
    """Seconds of all steps but the first of each block, which refills the caches."""
    return [step for block in replicate.rounds(arm) for step in block.samples(clock)[1:]]
