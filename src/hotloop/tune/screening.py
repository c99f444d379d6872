"""Screening: several plans measured at once against the plan that is kept so far, in one replicate or a few."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hotloop.compare.replicate import Pace
from hotloop.compare.series import AGAIN, ReplicateSeries
from hotloop.estimate import Estimate
from hotloop.measurement import Interval, Memory
from hotloop.objective import Objective
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

KEPT = "kept"
_MARGIN = 0.01
_HOPELESS = 0.9
_ROUNDS = 16  # with eight, blocks of a few steps under two threads left a gain of a third in doubt
_MORE_REPLICATES = 2  # for those in doubt: a gain of 3 % drowns in the noise of one replicate
_ERRORS = (
    2.0  # of the interval: of eight changes that gain nothing one in six sessions keeps one, until it is confirmed
)


@dataclass(frozen=True, kw_only=True)
class ScreeningResult:
    """What a screening showed of one plan: a failure, or its gain over the plan kept so far, by speed and by memory.

    What counts as a gain is the `objective`'s: with BOTH it is one of the two, without a sign of a loss by the other.
    """

    name: str
    plan: Plan
    failure: Verdict | None = None
    gain: Estimate | None = None
    startup: float = 0.0
    objective: Objective = Objective.THROUGHPUT
    memory_gain: Estimate | None = None
    memory: Memory | None = None

    @property
    def ratio(self) -> float:
        """Times the speed of the kept plan; 0 where it was not measured."""
        return self.gain.ratio if self.gain else 0.0

    @property
    def interval(self) -> Interval | None:
        """Two standard errors either way: for choosing and not for claiming."""
        return self.gain.interval(_ERRORS) if self.gain else None

    @property
    def memory_interval(self) -> Interval | None:
        """As `interval`, of how many times less the peak of memory is."""
        return self.memory_gain.interval(_ERRORS) if self.memory_gain else None

    @property
    def merit(self) -> Estimate | None:
        """What plans are ordered by: the gain by the objective, of both their sum."""
        if self.objective is Objective.THROUGHPUT or self.gain is None or self.memory_gain is None:
            return self.gain if self.objective is Objective.THROUGHPUT else None
        if self.objective is Objective.MEMORY:
            return self.memory_gain
        return replace(
            self.gain,
            log_ratio=self.gain.log_ratio + self.memory_gain.log_ratio,
            standard_error=math.hypot(self.gain.standard_error, self.memory_gain.standard_error),
        )

    @property
    def merit_ratio(self) -> float:
        """Times as good as the kept plan; 0 where it was not measured."""
        return self.merit.ratio if self.merit else 0.0

    @property
    def is_promising(self) -> bool:
        """Whether a gain clears 1 % and two standard errors; by BOTH, with nothing lost that seems more than 1 %."""
        if self.objective is not Objective.BOTH:
            return _is_clear(self.merit)
        gains = (self.gain, self.memory_gain)
        return any(map(_is_clear, gains)) and not any(gain.log_ratio < -_MARGIN for gain in gains if gain)

    @property
    def is_hopeless(self) -> bool:
        """Whether it is worse than the kept plan by more than a tenth, beyond its own errors."""
        return self.merit is not None and self.merit.interval(_ERRORS).high < _HOPELESS

    @property
    def is_doubtful(self) -> bool:
        """Whether it seems to gain more than 1 %, by no more than its own errors."""
        return self.merit is not None and self.merit.log_ratio > _MARGIN and not self.is_promising


def screen(
    session: Session, kept: Plan, plans: Mapping[str, Plan], *, title: str, seconds: float, replicates: int = 1
) -> tuple[ScreeningResult, ...]:
    """Measure `kept` against each of `plans` and against itself, all alive at once; their results, best first.

    What equal processes differ by is kept in the session, and is part of the error of every result. `seconds` bounds
    the timed rounds of all replicates and not the start-up. One replicate is enough to choose by where the allocator is
    quiet; only `confirm` claims.
    """
    session.watch_load()
    series = session.series(title, {KEPT: kept, AGAIN: kept, **plans}, baseline=KEPT)
    for _ in range(replicates):
        series.measure(screening_pace(seconds / replicates))
    if series.memory_note:
        session.note(series.memory_note)
    return screening_results(session, series, plans)


def screening_results(
    session: Session, series: ReplicateSeries, plans: Mapping[str, Plan]
) -> tuple[ScreeningResult, ...]:
    """What a series says of each plan, highest gain first; its A/A arm adds to what the session knows of the spread."""
    session.spread.add(series.estimates(AGAIN))
    session.memory_spread.add(series.memory_estimates(AGAIN))
    spreads, objective = (session.spread.value, session.memory_spread.value), session.options.objective
    return best_first(
        screening_result(series, name, plan, spreads=spreads, objective=objective) for name, plan in plans.items()
    )


def screening_pace(seconds: float) -> Pace:
    """That of one replicate whose timed rounds may take so long."""
    return Pace(rounds=_ROUNDS, most_seconds=seconds)


def screen_again(
    session: Session,
    kept: Plan,
    results: Sequence[ScreeningResult],
    *,
    title: str,
    seconds: float,
    spare: float,
    screen_with: Callable[..., tuple[ScreeningResult, ...]] | None = None,
) -> tuple[ScreeningResult, ...]:
    """The same results, those in doubt measured again: in up to two replicates, as far as `spare` seconds allow.

    `screen_with` takes the place of `screen`.
    """
    doubtful = {found.name: found.plan for found in results if found.is_doubtful}
    for number in range(_MORE_REPLICATES):
        began = session.elapsed
        if not doubtful or seconds > spare:
            break
        session.progress.say(f"{title}, in doubt and measured again: {', '.join(doubtful)}")
        seen = (screen_with or screen)(session, kept, doubtful, title=f"{title}, again {number + 1}", seconds=seconds)
        second = {found.name: found for found in seen}
        results = [_merged(found, second[found.name]) if found.name in second else found for found in results]
        doubtful = {found.name: found.plan for found in results if found.is_doubtful}
        spare -= session.elapsed - began
    return best_first(results)


def screening_result(
    series: ReplicateSeries,
    name: str,
    plan: Plan,
    *,
    spreads: tuple[float, float],
    objective: Objective = Objective.THROUGHPUT,
) -> ScreeningResult:
    """The mean gains over the replicates of a series, each with its share of `spreads` (speed, memory) in its error."""
    if name in series.failures:
        return ScreeningResult(name=name, plan=plan, failure=series.failures[name], objective=objective)
    peaks = series.memory_estimates(name)
    return ScreeningResult(
        name=name,
        plan=plan,
        gain=_mean_of(series.estimates(name), spreads[0]),
        startup=series.startup(name),
        objective=objective,
        memory_gain=_mean_of(peaks, spreads[1]) if peaks else None,
        memory=series.memory(name),
    )


def _mean_of(estimates: Sequence[Estimate], spread: float) -> Estimate:
    errors = [math.hypot(estimate.standard_error, spread) for estimate in estimates]
    return Estimate(
        log_ratio=math.fsum(estimate.log_ratio for estimate in estimates) / len(estimates),
        standard_error=math.hypot(*errors) / len(estimates),
        rounds=sum(estimate.rounds for estimate in estimates),
        replicates=len(estimates),
    )


def _is_clear(gain: Estimate | None) -> bool:
    return gain is not None and gain.log_ratio > _MARGIN + _ERRORS * gain.standard_error


def best_first(results: Iterable[ScreeningResult]) -> tuple[ScreeningResult, ...]:
    """The results, highest gain by the objective first; failures at the end."""
    return tuple(sorted(results, key=lambda result: result.merit_ratio, reverse=True))


def _merged(first: ScreeningResult, second: ScreeningResult) -> ScreeningResult:
    """Both as one; a failure in the second is the result."""
    if first.gain is None or second.gain is None:
        return replace(second, startup=first.startup)
    memory_gain = first.memory_gain
    if memory_gain is not None and second.memory_gain is not None:
        memory_gain = memory_gain.combined_with(second.memory_gain)
    return replace(first, gain=first.gain.combined_with(second.gain), memory_gain=memory_gain)
