"""Screening: several plans measured at once against the plan that is kept so far, in one replicate or a few."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hotloop.compare.replicate import Pace
from hotloop.compare.series import AGAIN, ReplicateSeries
from hotloop.estimate import Estimate
from hotloop.measurement import Interval
from hotloop.proof.session import Session
from hotloop.transform import Plan
from hotloop.verdict import Verdict

KEPT = "kept"
_MARGIN = 0.01
_ROUNDS = 16  # with eight, blocks of a few steps under two threads left a gain of a third in doubt
_MORE_REPLICATES = 2  # for those in doubt: a gain of 3 % drowns in the noise of one replicate
_ERRORS = (
    2.0  # of the interval: of eight changes that gain nothing one in six sessions keeps one, until it is confirmed
)


@dataclass(frozen=True, kw_only=True)
class ScreeningResult:
    """What a screening showed of one plan: a failure, or its gain over the plan kept so far."""

    name: str
    plan: Plan
    failure: Verdict | None = None
    gain: Estimate | None = None
    startup: float = 0.0

    @property
    def ratio(self) -> float:
        """Times the speed of the kept plan; 0 where it was not measured."""
        return self.gain.ratio if self.gain else 0.0

    @property
    def interval(self) -> Interval | None:
        """Two standard errors either way: for choosing and not for claiming."""
        return self.gain.interval(_ERRORS) if self.gain else None

    @property
    def is_promising(self) -> bool:
        """Whether its gain clears 1 % and two standard errors."""
        return self.gain is not None and self.gain.log_ratio > _MARGIN + _ERRORS * self.gain.standard_error

    @property
    def is_doubtful(self) -> bool:
        """Whether it seems to gain more than 1 %, by no more than its own errors."""
        return self.gain is not None and self.gain.log_ratio > _MARGIN and not self.is_promising


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
    session.spread.add(series.estimates(AGAIN))
    if series.memory_note:
        session.note(series.memory_note)
    spread = session.spread.value
    return best_first(screening_result(series, name, plan, spread=spread) for name, plan in plans.items())


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


def screening_result(series: ReplicateSeries, name: str, plan: Plan, *, spread: float) -> ScreeningResult:
    """The mean gain over the replicates of a series, each with `spread` beside its own error."""
    if name in series.failures:
        return ScreeningResult(name=name, plan=plan, failure=series.failures[name])
    estimates = series.estimates(name)
    errors = [math.hypot(estimate.standard_error, spread) for estimate in estimates]
    gain = Estimate(
        log_ratio=math.fsum(estimate.log_ratio for estimate in estimates) / len(estimates),
        standard_error=math.hypot(*errors) / len(estimates),
        rounds=sum(estimate.rounds for estimate in estimates),
        replicates=len(estimates),
    )
    return ScreeningResult(name=name, plan=plan, gain=gain, startup=series.startup(name))


def best_first(results: Iterable[ScreeningResult]) -> tuple[ScreeningResult, ...]:
    """The results, highest gain first; failures at the end."""
    return tuple(sorted(results, key=lambda result: result.ratio, reverse=True))


def _merged(first: ScreeningResult, second: ScreeningResult) -> ScreeningResult:
    """Both as one; a failure in the second is the result."""
    if first.gain is None or second.gain is None:
        return replace(second, startup=first.startup)
    return replace(first, gain=first.gain.combined_with(second.gain))
