"""Turns step times into claims: effects of process pairs, intervals over pairs, verdicts, and the number of pairs.

The unit of replication is the process pair: the noise sits in where a process landed in memory, so more rounds inside
one pair narrow nothing that matters. All intervals are t intervals over pairs, on the log of the ratio.

Every constant below was calibrated on the whole procedure, peeking after each pair from the third to the tenth; the
rates are in benchmarks/results/*/simulation.json and estimators.json, written by benchmarks/compare/.
"""

import bisect
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from hotloop.errors import MeasurementError
from hotloop.measurement import Interval
from hotloop.verdict import Outcome, Verdict

MARGIN = 0.02
"""The smallest relative difference that is worth a claim (design.md, Statistics)."""

CONFIDENCE = 0.98
"""Of one look. With margin, floor and peeking, all false claims together stay below 1 % (simulation.json)."""

MINIMUM_PAIRS, MAXIMUM_PAIRS = 3, 10

_TRIM = 0.25  # of each end, the interquartile mean: under stalls two thirds of the error of 0.2 (estimators.json)
_POWER = 0.8
_FLOOR_ERRORS = 1.8  # mean of |centre| + its standard error, in standard errors: sqrt(2 / pi) + 1
_MOST_PAIRS = 10_000
_LARGEST_LOG = 709.0  # of a 64-bit float


@dataclass(frozen=True, kw_only=True)
class PairEffect:
    """What one process pair showed.

    `log_ratio` is log(baseline time / candidate time), above 0 where the candidate is faster. `standard_error` is that
    of the rounds inside the pair (infinite for one round) and says nothing about other pairs.
    """

    log_ratio: float
    standard_error: float
    rounds: int


def pair_effect(baseline: Sequence[Sequence[float]], candidate: Sequence[Sequence[float]]) -> PairEffect:
    """The interquartile mean over rounds of the log ratio of block means, and its standard error (Yuen 1974).

    Each argument is one worker's rounds, each round its step times in seconds, in the same order of rounds. The first
    step of a block is dropped unless it is the only one. A block stands for its throughput, so its figure is the mean:
    minimum and median do not see a cost that every fourth step pays (stalled loaders, logging), and between real
    processes they were not clearly steadier (estimators.json); stalls are left to the trimming,
    which misses what fewer than a quarter of the blocks pay. Raises MeasurementError for rounds that do not match, are
    empty, or hold times that are not positive.
    """
    if len(baseline) != len(candidate) or not baseline:
        raise MeasurementError(
            f"got {len(baseline)} rounds of the baseline and {len(candidate)} of the candidate; "
            "a pair needs the same number, at least 1: drop the round that was not finished"
        )
    logs = sorted(math.log(_block(b)) - math.log(_block(c)) for b, c in zip(baseline, candidate, strict=True))
    trimmed, error = _trimmed(logs)
    return PairEffect(log_ratio=trimmed, standard_error=error, rounds=len(logs))


def combine(
    effects: Sequence[PairEffect], aa_effects: Sequence[PairEffect] = (), *, confidence: float = CONFIDENCE
) -> Interval:
    """The mean ratio over pairs with its bounds; one pair is bounded by 0 and infinity, since it claims nothing.

    Never narrower than the t interval over pairs nor than the pooled errors inside them. With `aa_effects`, the spread
    is taken as no smaller than theirs over sqrt(2): both arms share the baseline, whose share that is, so a smaller one
    among few pairs is luck. Raises MeasurementError for no pairs, or figures that are not numbers.
    """
    _check(effects, "pair")
    spread = between_pair_spread(aa_effects) / math.sqrt(2) if len(aa_effects) > 1 else 0.0
    centre, half = _mean(effects), _half_width(effects, spread, confidence)
    return Interval(median=_exp(centre), low=_exp(centre - half), high=_exp(centre + half))


def between_pair_spread(effects: Sequence[PairEffect]) -> float:
    """Standard deviation of the log ratio from pair to pair; infinite for one pair. Raises as `combine`."""
    _check(effects, "pair")
    if len(effects) < 2:
        return math.inf
    centre = _mean(effects)
    return math.sqrt(math.fsum((e.log_ratio - centre) ** 2 for e in effects) / (len(effects) - 1))


def floor(aa_effects: Sequence[PairEffect]) -> float:
    """The relative difference that this machine invents between two identical workers: |centre| + its standard error.

    Infinite for one pair. Raises MeasurementError for no pairs, or figures that are not numbers.
    """
    _check(aa_effects, "A/A pair")
    return _exp(abs(_mean(aa_effects)) + _error(aa_effects, between_pair_spread(aa_effects))) - 1


def judge_speed(
    effects: Sequence[PairEffect],
    aa_effects: Sequence[PairEffect],
    *,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
) -> Verdict:
    """PASS where faster by more than margin and floor, FAIL where slower or not worth a claim, else INCONCLUSIVE.

    `numbers` holds those of median, low, high, floor, margin, pairs that are finite, and proven_slower (0 or 1).
    """
    problem = _unusable(effects, aa_effects)
    if problem:
        numbers = {"margin": margin, "pairs": float(len(effects)), "proven_slower": 0.0}
        return Verdict(gate="speed", outcome=Outcome.INCONCLUSIVE, message=problem, numbers=numbers)
    return _Comparison.of(effects, aa_effects, margin=margin, confidence=confidence).verdict()


def proven_slower(
    effects: Sequence[PairEffect],
    aa_effects: Sequence[PairEffect],
    *,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
) -> bool:
    """Whether the slow-down is a proven claim: the mirror image of a PASS, with the same threshold."""
    if _unusable(effects, aa_effects):
        return False
    return _Comparison.of(effects, aa_effects, margin=margin, confidence=confidence).is_slower


def decided(
    effects: Sequence[PairEffect],
    aa_effects: Sequence[PairEffect],
    *,
    minimum_pairs: int = MINIMUM_PAIRS,
    maximum_pairs: int = MAXIMUM_PAIRS,
    margin: float = MARGIN,
    confidence: float = CONFIDENCE,
    either_way: bool = True,
) -> bool:
    """Whether to stop taking pairs: enough of them, or a claim that stands.

    `either_way` also waits for a slow-down to be proven, or shown to stay inside the margin; without it the first
    FAIL ends the series, which is what a search for gains wants.
    """
    pairs = len(effects)
    if pairs < minimum_pairs or pairs >= maximum_pairs:
        return pairs >= minimum_pairs
    if _unusable(effects, aa_effects):
        return False
    seen = _Comparison.of(effects, aa_effects, margin=margin, confidence=confidence)
    return seen.is_faster or seen.is_slower or (seen.is_no_gain and (not either_way or seen.is_no_loss))


def provable_effect(spread: float, pairs: int, *, margin: float = MARGIN, confidence: float = CONFIDENCE) -> float:
    """The smallest relative difference that `pairs` process pairs prove in at least 80 % of all series.

    `spread` is the standard deviation of the log ratio between pairs. Infinite for fewer than two pairs.
    """
    if not (spread >= 0.0 and margin >= 0.0):
        raise MeasurementError(
            f"got spread {spread} and margin {margin}; both must be 0 or more: measure A/A pairs first"
        )
    if pairs < 2:
        return math.inf
    error = spread / math.sqrt(pairs)
    return _exp(max(math.log1p(margin), _FLOOR_ERRORS * error) + _detectable(pairs, confidence) * error) - 1


def pairs_needed(spread: float, effect: float, *, margin: float = MARGIN, confidence: float = CONFIDENCE) -> int:
    """How many process pairs prove a true relative difference of `effect` in at least 80 % of all series.

    Raises MeasurementError where no number of pairs up to 10,000 would, as for an effect inside the margin.
    """

    def is_enough(pairs: int) -> bool:
        return provable_effect(spread, pairs, margin=margin, confidence=confidence) < effect

    counts = range(MINIMUM_PAIRS, _MOST_PAIRS + 1)
    index = bisect.bisect_left(counts, True, key=is_enough)
    if index == len(counts):
        raise MeasurementError(
            f"no number of pairs up to {_MOST_PAIRS} proves {effect:.2%} with margin {margin:.2%} and spread "
            f"{spread:.2%}; an effect must exceed the margin: ask for a larger one, or quieten the machine"
        )
    return counts[index]


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """An interval beside what it has to clear."""

    interval: Interval
    floor: float
    margin: float
    pairs: int

    @staticmethod
    def of(
        effects: Sequence[PairEffect], aa_effects: Sequence[PairEffect], *, margin: float, confidence: float
    ) -> "_Comparison":
        interval = combine(effects, aa_effects, confidence=confidence)
        return _Comparison(interval=interval, floor=floor(aa_effects), margin=margin, pairs=len(effects))

    @property
    def threshold(self) -> float:
        return max(self.margin, self.floor)

    @property
    def is_faster(self) -> bool:
        return self.interval.low > 1 + self.threshold

    @property
    def is_slower(self) -> bool:
        return self.interval.high < 1 / (1 + self.threshold)

    @property
    def is_no_gain(self) -> bool:
        return self.interval.high < 1 + self.margin

    @property
    def is_no_loss(self) -> bool:
        return self.interval.low > 1 / (1 + self.margin)

    def verdict(self) -> Verdict:
        outcome, finding = self._finding()
        interval, need = self.interval, f"the larger of the {self.margin:.1%} margin and the {self.floor:.1%} A/A floor"
        message = (
            f"{finding}: {interval.median:.3f} times the speed ({interval.low:.3f} to {interval.high:.3f} "
            f"over {self.pairs} process pairs), to be judged against {need}"
        )
        numbers = {
            "median": interval.median,
            "low": interval.low,
            "high": interval.high,
            "floor": self.floor,
            "margin": self.margin,
            "pairs": float(self.pairs),
            "proven_slower": float(self.is_slower),
        }
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        return Verdict(gate="speed", outcome=outcome, message=message, numbers=finite)

    def _finding(self) -> tuple[Outcome, str]:
        if self.is_faster:
            return Outcome.PASS, "proven faster"
        if self.is_slower:
            return Outcome.FAIL, "proven slower"
        if self.is_no_gain:
            return Outcome.FAIL, "any gain is proven to be too small to claim"
        return Outcome.INCONCLUSIVE, "cannot tell"


def _block(steps: Sequence[float]) -> float:
    """Mean of the steps after the first."""
    kept = steps[1:] if len(steps) > 1 else steps
    if not kept or not all(0.0 < step < math.inf for step in kept):
        raise MeasurementError(
            f"got a block with step times {list(steps)}; each must be a positive number of seconds: "
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


def _mean(effects: Sequence[PairEffect]) -> float:
    return math.fsum(effect.log_ratio for effect in effects) / len(effects)


def _inside_error(effects: Sequence[PairEffect]) -> float:
    """Standard error of the mean of all pairs, from their rounds alone."""
    return math.sqrt(math.fsum(effect.standard_error**2 for effect in effects)) / len(effects)


def _error(effects: Sequence[PairEffect], spread: float) -> float:
    return max(spread / math.sqrt(len(effects)), _inside_error(effects))


def _half_width(effects: Sequence[PairEffect], least_spread: float, confidence: float) -> float:
    pairs = len(effects)
    if pairs < 2:
        return math.inf
    spread = max(between_pair_spread(effects), least_spread)
    between = _quantile(confidence, pairs - 1) * spread / math.sqrt(pairs)
    inside = _quantile(confidence, max(1, sum(effect.rounds - 1 for effect in effects))) * _inside_error(effects)
    return max(between, inside)


@functools.cache
def _quantile(confidence: float, freedom: int) -> float:
    """Two-sided quantile of Student's t."""
    if not 0.0 < confidence < 1.0:
        raise MeasurementError(f"got confidence {confidence}; it must lie between 0 and 1: 0.95 is a usual one")
    from scipy import stats

    return float(stats.t.ppf(0.5 + confidence / 2, freedom))


@functools.cache
def _detectable(pairs: int, confidence: float) -> float:
    """How far past its threshold a true effect must lie to be claimed with the wanted power, in standard errors."""
    from scipy import special

    return float(special.nctdtrinc(pairs - 1, 1 - _POWER, _quantile(confidence, pairs - 1)))


def _check(effects: Sequence[PairEffect], what: str) -> None:
    if not effects:
        raise MeasurementError(f"got no {what}; an interval needs at least 2 {what}s: take more")
    if not all(math.isfinite(effect.log_ratio) and effect.standard_error >= 0.0 for effect in effects):
        raise MeasurementError(f"got a {what} that is not a number among {list(effects)}; drop it and take another")


def _unusable(effects: Sequence[PairEffect], aa_effects: Sequence[PairEffect]) -> str:
    """Why these pairs can claim nothing; empty where they can."""
    try:
        _check(effects, "pair")
        _check(aa_effects, "A/A pair")
    except MeasurementError as error:
        return f"cannot tell: {error}"
    if min(len(effects), len(aa_effects)) < 2:
        return (
            f"cannot tell: got {len(effects)} pairs and {len(aa_effects)} A/A pairs; "
            "one process pair claims nothing: take at least 2 of each"
        )
    return ""


def _exp(log: float) -> float:
    return math.exp(log) if log < _LARGEST_LOG else math.inf
