"""Metric: one guarded quantity of base and head, with the verdict on the difference; and how each kind is judged."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hotloop.compare.comparison import Comparison
from hotloop.guard.limits import Limit
from hotloop.measurement import Interval
from hotloop.verdict import Outcome, Verdict


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`ratio` is head over base in the unit of the metric, between `low` and `high`; None is what was not measured."""

    name: str
    base: float | None = None
    head: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Outcome
    message: str

    def as_verdict(self) -> Verdict:
        """The same as the verdict of a gate."""
        numbers = {name: value for name, value in self.to_data().items() if isinstance(value, float)}
        return Verdict(gate=self.name, outcome=self.verdict, message=self.message, numbers=numbers)

    def to_data(self) -> dict[str, Any]:
        """JSON data; an infinite bound is null."""
        numbers = {name: getattr(self, name) for name in ("base", "head", "ratio", "low", "high")}
        finite = {name: value if value is None or math.isfinite(value) else None for name, value in numbers.items()}
        return {"name": self.name, **finite, "verdict": self.verdict.value, "message": self.message}


def unknown(name: str, reason: str) -> Metric:
    """A metric that could not be measured."""
    return Metric(name=name, verdict=Outcome.INCONCLUSIVE, message=f"could not be told: {reason}")


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """How a metric is called, written, and which way is worse."""

    name: str
    written: Callable[[float], str]
    larger_is_worse: bool = True


def judge_comparison(quantity: Quantity, comparison: Comparison, limit: Limit, *, base: float, head: float) -> Metric:
    """The verdict on estimates whose log ratio is above 0 where head is better.

    FAIL where a regression beyond `limit` is proven, as `Comparison` proves it (interval and A/A floor); PASS where one
    of `limit.resolution` is excluded, else INCONCLUSIVE.
    """
    if comparison.problem:
        return replace(unknown(quantity.name, comparison.problem.removeprefix("cannot tell: ")), base=base, head=head)
    better = comparison.interval
    worse = better.inverse
    ratio = worse if quantity.larger_is_worse else better
    least, most = (_change(base, bound, quantity) for bound in (worse.low, worse.high))
    is_proven = replace(comparison, margin=limit.relative).is_slower and least > limit.absolute
    is_excluded = worse.high <= 1 + limit.resolution or most <= limit.absolute
    outcome = Outcome.FAIL if is_proven else Outcome.PASS if is_excluded else Outcome.INCONCLUSIVE
    figures = f"{quantity.written(base)} -> {quantity.written(head)}, {_percent(ratio)}"
    aa = f"{comparison.replicates} replicates, A/A within {comparison.floor:.1%}"
    return Metric(
        name=quantity.name,
        base=base,
        head=head,
        ratio=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        verdict=outcome,
        message=f"{_finding(outcome, quantity, limit)}: {figures}; {aa}",
    )


def judge_count(name: str, base: float, head: float, limit: Limit, *, where: Sequence[str] = ()) -> Metric:
    """The verdict on counts that do not depend on the machine: any more than `limit` allows is a regression."""
    is_worse = head > base * (1 + limit.relative) and head - base > limit.absolute
    change = "more" if head > base else "fewer" if head < base else "the same"
    at = f": {'; '.join(where)}" if where and head > base else ""
    return Metric(
        name=name,
        base=base,
        head=head,
        ratio=head / base if base else None,
        low=head / base if base else None,
        high=head / base if base else None,
        verdict=Outcome.FAIL if is_worse else Outcome.PASS,
        message=f"{change}, {base:g} -> {head:g}{at}",
    )


def _change(base: float, worse: float, quantity: Quantity) -> float:
    """What a factor by which head is worse comes to in the unit of the metric."""
    return base * (worse - 1) if quantity.larger_is_worse else base * (1 - 1 / worse)


def _finding(outcome: Outcome, quantity: Quantity, limit: Limit) -> str:
    absolute = f" and {quantity.written(limit.absolute)}" if limit.absolute else ""
    if outcome is Outcome.FAIL:
        return f"worse, proven beyond {limit.relative:.1%}{absolute}"
    if outcome is Outcome.PASS:
        return f"no regression of {limit.resolution:.1%}"
    return f"could not be told whether it is worse by more than {limit.relative:.1%}{absolute}: measure longer"


def _percent(interval: Interval) -> str:
    return f"{interval.ratio - 1:+.1%} [{interval.low - 1:+.1%}, {interval.high - 1:+.1%}]"
