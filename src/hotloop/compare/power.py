"""How small an effect so many replicates can prove, and how many replicates an effect needs."""

import bisect
import functools
import math

from hotloop.compare.comparison import MARGIN, MINIMUM_REPLICATES
from hotloop.compare.inference import CONFIDENCE, t_quantile
from hotloop.errors import MeasurementError
from hotloop.estimate import exp_or_infinity

_POWER = 0.8
_FLOOR_ERRORS = 1.8  # mean of |centre| + its standard error, in standard errors: sqrt(2 / pi) + 1
_MOST_REPLICATES = 10_000


def provable_effect(spread: float, replicates: int, *, margin: float = MARGIN, confidence: float = CONFIDENCE) -> float:
    """The smallest relative difference that so many replicates prove in at least 80 % of all series.

    `spread` is the standard deviation of the log ratio between replicates. Infinite for fewer than two replicates.
    """
    if not (spread >= 0.0 and margin >= 0.0):
        raise MeasurementError(
            f"got spread {spread} and margin {margin}; both must be 0 or more: measure A/A replicates first"
        )
    if replicates < 2:
        return math.inf
    error = spread / math.sqrt(replicates)
    threshold = max(math.log1p(margin), _FLOOR_ERRORS * error)
    return exp_or_infinity(threshold + _detectable(replicates, confidence) * error) - 1


def replicates_needed(spread: float, effect: float, *, margin: float = MARGIN, confidence: float = CONFIDENCE) -> int:
    """How many replicates prove a true relative difference of `effect` in at least 80 % of all series.

    Raises MeasurementError where no number up to 10,000 would, as for an effect inside the margin.
    """

    def is_enough(replicates: int) -> bool:
        return provable_effect(spread, replicates, margin=margin, confidence=confidence) < effect

    counts = range(MINIMUM_REPLICATES, _MOST_REPLICATES + 1)
    index = bisect.bisect_left(counts, True, key=is_enough)
    if index == len(counts):
        raise MeasurementError(
            f"no number of replicates up to {_MOST_REPLICATES} proves {effect:.2%} with margin {margin:.2%} and spread "
            f"{spread:.2%}; an effect must exceed the margin: ask for a larger one, or quieten the machine"
        )
    return counts[index]


@functools.cache
def _detectable(replicates: int, confidence: float) -> float:
    """How far past its threshold a true effect must lie to be claimed with the wanted power, in standard errors."""
    from scipy import special

    return float(special.nctdtrinc(replicates - 1, 1 - _POWER, t_quantile(confidence, replicates - 1)))
