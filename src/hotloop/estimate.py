"""Estimate: a log ratio of two arms with its standard error, and how estimates are combined."""

import math
from dataclasses import dataclass

from hotloop.measurement import Interval

_LARGEST_LOG = 709.0  # of a 64-bit float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How much faster a candidate is than a baseline, as far as it is known.

    `log_ratio` is log(baseline time / candidate time), above 0 where the candidate is faster. `standard_error` is that
    of `log_ratio`: for one replicate it comes from its rounds alone (infinite for one round) and says nothing about
    other replicates. `rounds` counts the rounds behind it, `replicates` the sets of fresh processes.
    """

    log_ratio: float
    standard_error: float
    rounds: int
    replicates: int = 1

    @property
    def ratio(self) -> float:
        """Times the speed of the baseline."""
        return exp_or_infinity(self.log_ratio)

    def interval(self, quantile: float) -> Interval:
        """The ratio within `quantile` standard errors either way; bounded by 0 and infinity where the error is."""
        half = math.inf if math.isinf(self.standard_error) else quantile * self.standard_error
        return Interval(
            ratio=self.ratio,
            low=exp_or_infinity(self.log_ratio - half),
            high=exp_or_infinity(self.log_ratio + half),
        )

    def combined_with(self, other: "Estimate") -> "Estimate":
        """Both as one, each weighted by the inverse of its variance: two looks at the same arms."""
        weights = (self.standard_error**-2, other.standard_error**-2)
        weighted = weights[0] * self.log_ratio + weights[1] * other.log_ratio
        return Estimate(
            log_ratio=weighted / sum(weights),
            standard_error=sum(weights) ** -0.5,
            rounds=self.rounds + other.rounds,
            replicates=self.replicates + other.replicates,
        )


def exp_or_infinity(log: float) -> float:
    """exp(log), infinite where a float cannot hold it."""
    return math.exp(log) if log < _LARGEST_LOG else math.inf
