"""Compile time: the seconds that Dynamo and its backend take for the first steps, with empty caches."""

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from hotloop.compare.comparison import Comparison
from hotloop.estimate import Estimate
from hotloop.guard.counts import Counts
from hotloop.guard.limits import Limit
from hotloop.guard.metric import Metric, Quantity, judge_comparison, unknown
from hotloop.guard.units import seconds
from hotloop.verdict import Outcome

RUNS, MOST_RUNS = 3, 8
_NAME = "compile_time"


def compile_metric(base: Sequence[Counts], head: Sequence[Counts], limit: Limit) -> Metric:
    """The verdict on so many runs of each, compared in their order; the A/A arm is the base's runs among themselves."""
    ours, theirs = ([run.compile_seconds for run in runs] for runs in (base, head))
    figures = {"base": statistics.fmean(ours), "head": statistics.fmean(theirs)}
    if not any(theirs):
        said = "nothing is compiled" if not any(ours) else "head compiles nothing"
        return Metric(name=_NAME, **figures, verdict=Outcome.PASS, message=said)
    if not all(ours) or not all(theirs):
        outcome = Outcome.FAIL if min(theirs) - max(ours) > limit.absolute else Outcome.PASS
        said = f"base compiles nothing, head for {seconds(figures['head'])}"
        return Metric(name=_NAME, **figures, verdict=outcome, message=said)
    if min(len(ours), len(theirs)) < RUNS:
        found = unknown(_NAME, f"{RUNS} runs with empty caches are needed, and there was time for {len(theirs)}")
        return replace(found, **figures)
    estimates = [_log_ratio(one, other) for one, other in zip(ours, theirs, strict=True)]
    aa = [_log_ratio(one, other) for one, other in itertools.pairwise([*ours, ours[0]])]
    return judge_comparison(Quantity(name=_NAME, written=seconds), Comparison(estimates, aa), limit, **figures)


def _log_ratio(base: float, head: float) -> Estimate:
    return Estimate(log_ratio=math.log(base / head), standard_error=0.0, rounds=1)
