"""Turns step times into estimates: one for each replicate, and an interval over replicates.

The unit of replication is the replicate, a set of fresh processes: the noise sits in where a process landed in memory,
so more rounds inside one replicate narrow nothing that matters. All intervals are t intervals over replicates, on the
log of the ratio.

Every constant of this room was calibrated on the whole procedure, looking after each replicate from the third to the
tenth; the rates are in benchmarks/results/*/simulation.json and estimators.json, written by benchmarks/compare/.
"""

import functools
import math
import statistics
from collections.abc import Sequence

from hotloop.errors import MeasurementError
from hotloop.estimate import Estimate, exp_or_infinity
from hotloop.measurement import Interval, Memory

CONFIDENCE = 0.98
"""Of one interval. With margin and floor, all false claims of a series stay below 1 % together (simulation.json)."""

_BLOCKS_OF_A_STRETCH = 12
_FEWEST_PERIODS = 4
_PRIOR_SPREAD, _PRIOR_REPLICATES = 0.01, 2
_TRIM = 0.25  # of each end, the interquartile mean: with slow single blocks 2/3 of the error of 0.2


def replicate_estimate(baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> Estimate:
    """The interquartile mean over rounds of the log ratio of block means, and its standard error (Yuen 1974).

    Each argument is one worker's rounds, each round its step times in seconds, in the same order of rounds. The first
    step of a block is dropped unless it is the only one. A block stands for its throughput, so its figure is the mean:
    minimum and median do not see a cost that every fourth step pays (waiting for a loader, logging), and between real
    processes they were not clearly steadier (estimators.json); single slow blocks are left to the trimming, which
    misses what fewer than a quarter of the blocks pay. Raises MeasurementError for rounds that do not match, are empty,
    or hold times that are not positive.
    """
    if len(baseline) != len(candidate) or not baseline:
        raise MeasurementError(
            f"got {len(baseline)} rounds of the baseline and {len(candidate)} of the candidate; "
            "a replicate needs the same number, at least 1: drop the round that was not finished"
        )
    logs = sorted(math.log(_block_mean(b)) - math.log(_block_mean(c)) for b, c in zip(baseline, candidate, strict=True))
    trimmed, error = _trimmed(logs)
    return Estimate(log_ratio=trimmed, standard_error=error, rounds=len(logs))


def stretch_estimate(
    baseline: Sequence[float], candidate: Sequence[float], *, trimmed: bool, periods: tuple[int, int] = (1, 1)
) -> Estimate:
    """The log ratio of the mean step times of two uninterrupted stretches, and its standard error.

    Each argument holds the seconds of the steps of one stretch, in their order. The error comes from the spread of the
    means of consecutive steps, about twelve blocks a stretch, each of whole `periods`: the batches of several loader
    workers come in bursts, which are no noise. With `trimmed`, the interquartile mean of the blocks stands for
    the stretch: a step as it mostly is, without what few steps pay (evaluation, the end of an epoch). Raises
    MeasurementError for a stretch without steps.
    """
    logs, errors, rounds = zip(
        *(
            _stretch(steps, trimmed=trimmed, period=period)
            for steps, period in zip((baseline, candidate), periods, strict=True)
        ),
        strict=True,
    )
    return Estimate(log_ratio=logs[0] - logs[1], standard_error=math.hypot(*errors), rounds=min(rounds))


def memory_estimate(baseline: Memory, candidate: Memory) -> Estimate:
    """The log ratio of two peaks of memory, above 0 where the candidate needs less.

    One figure for a process has no error inside it: the spread is that between replicates. Raises MeasurementError
    where a peak is not known.
    """
    if baseline.peak <= 0 or candidate.peak <= 0:
        raise MeasurementError(
            f"got peaks of {baseline.peak} and {candidate.peak} bytes; memory is known where the system tells of it: "
            "compare step times here"
        )
    return Estimate(log_ratio=math.log(baseline.peak / candidate.peak), standard_error=0.0, rounds=1)


def _stretch(steps: Sequence[float], *, trimmed: bool, period: int) -> tuple[float, float, int]:
    """Log of the mean step time, its standard error, and the number of blocks."""
    if not steps:
        raise MeasurementError("got a stretch without steps; let the program train longer")
    size = max(1, len(steps) // _BLOCKS_OF_A_STRETCH)
    if len(steps) >= _FEWEST_PERIODS * period:
        size = period * math.ceil(size / period)
        steps = steps[: period * (len(steps) // period)]
    blocks = [steps[start : start + size] for start in range(0, size * (len(steps) // size), size)]
    logs = sorted(math.log(_mean_of(block)) for block in blocks)
    if trimmed:
        return (*_trimmed(logs), len(blocks))
    error = statistics.stdev(logs) / math.sqrt(len(logs)) if len(logs) > 1 else math.inf
    return math.log(_mean_of(steps)), error, len(blocks)


def combine(estimates: Sequence[Estimate], aa: Sequence[Estimate] = (), *, confidence: float = CONFIDENCE) -> Interval:
    """The mean ratio over replicates with its bounds; one replicate is bounded by 0 and infinity: it claims nothing.

    Never narrower than the t interval over replicates nor than the pooled errors inside them. With `aa`, the estimates
    of the A/A arm, the spread is taken as no smaller than theirs over sqrt(2): both arms share the baseline, whose
    share that is, so a smaller one among few replicates is luck. Raises MeasurementError for no replicates, or figures
    that are not numbers.
    """
    check_estimates(estimates, "replicate")
    count, rounds = len(estimates), sum(estimate.rounds for estimate in estimates)
    least = between_replicate_spread(aa) / math.sqrt(2) if len(aa) > 1 else 0.0
    between = max(between_replicate_spread(estimates), least) / math.sqrt(count)
    centre = _mean(estimates)
    intervals = [
        Estimate(log_ratio=centre, standard_error=error, rounds=rounds, replicates=count).interval(
            t_quantile(confidence, freedom)
        )
        for error, freedom in ((between, max(1, count - 1)), (_inside_error(estimates), max(1, rounds - count)))
    ]
    return max(intervals, key=lambda interval: interval.high)


def between_replicate_spread(estimates: Sequence[Estimate]) -> float:
    """Standard deviation of the log ratio from replicate to replicate; infinite for one. Raises as `combine`."""
    check_estimates(estimates, "replicate")
    if len(estimates) < 2:
        return math.inf
    centre = _mean(estimates)
    return math.sqrt(math.fsum((e.log_ratio - centre) ** 2 for e in estimates) / (len(estimates) - 1))


class MeasuredSpread:
    """What equal workers were seen to differ by from replicate to replicate, over all A/A arms of a session.

    `value` is a standard deviation of the log ratio. It starts from that of a machine that is fit to measure on, which
    weighs as much as two replicates, so that the first ones do not decide alone.
    """

    def __init__(self) -> None:
        self._squares = _PRIOR_REPLICATES * _PRIOR_SPREAD**2
        self._count = _PRIOR_REPLICATES

    def add(self, aa: Sequence[Estimate]) -> None:
        """Count the A/A estimates of further replicates."""
        self._squares += math.fsum(estimate.log_ratio**2 for estimate in aa)
        self._count += len(aa)

    @property
    def value(self) -> float:
        """Around 0: equal workers differ by nothing but noise."""
        return math.sqrt(self._squares / self._count)


def aa_floor(aa: Sequence[Estimate]) -> float:
    """The relative difference that this machine invents between two equal workers: |centre| + its standard error.

    Infinite for one replicate. Raises MeasurementError for none, or figures that are not numbers.
    """
    check_estimates(aa, "A/A replicate")
    error = max(between_replicate_spread(aa) / math.sqrt(len(aa)), _inside_error(aa))
    return exp_or_infinity(abs(_mean(aa)) + error) - 1


def check_estimates(estimates: Sequence[Estimate], what: str) -> None:
    """Raise MeasurementError where there are none, or one is not a number."""
    if not estimates:
        raise MeasurementError(f"got no {what}; an interval needs at least 2 {what}s: take more")
    if not all(math.isfinite(estimate.log_ratio) and estimate.standard_error >= 0.0 for estimate in estimates):
        raise MeasurementError(f"got a {what} that is not a number among {list(estimates)}; drop it and take another")


@functools.cache
def t_quantile(confidence: float, freedom: int) -> float:
    """Two-sided quantile of Student's t."""
    if not 0.0 < confidence < 1.0:
        raise MeasurementError(f"got confidence {confidence}; it must lie between 0 and 1: 0.95 is a usual one")
    from scipy import stats

    return float(stats.t.ppf(0.5 + confidence / 2, freedom))


def _block_mean(steps: Sequence[float]) -> float:
    """Mean of the steps after the first."""
    return _mean_of(steps[1:] if len(steps) > 1 else steps)


def _mean_of(kept: Sequence[float]) -> float:
    if not kept or not all(0.0 < step < math.inf for step in kept):
        raise MeasurementError(
            f"got step times {list(kept)[:9]}; each must be a positive number of seconds: "
            "drop the block, or take more steps where the clock is too coarse"
        )
    return math.fsum(kept) / len(kept)


def _trimmed(ordered: Sequence[float]) -> tuple[float, float]:
    """Trimmed mean of sorted values, and its standard error from the winsorized variance (Yuen 1974)."""
    cut = int(_TRIM * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    mean = math.fsum(kept) / len(kept)
    if len(kept) < 2:
        return mean, math.inf
    winsorized = [*[kept[0]] * cut, *kept, *[kept[-1]] * cut]
    centre = math.fsum(winsorized) / len(winsorized)
    squares = math.fsum((value - centre) ** 2 for value in winsorized)
    return mean, math.sqrt(squares / (len(kept) * (len(kept) - 1)))


def _mean(estimates: Sequence[Estimate]) -> float:
    return math.fsum(estimate.log_ratio for estimate in estimates) / len(estimates)


def _inside_error(estimates: Sequence[Estimate]) -> float:
    """Standard error of the mean of all replicates, from their rounds alone."""
    return math.sqrt(math.fsum(estimate.standard_error**2 for estimate in estimates)) / len(estimates)
