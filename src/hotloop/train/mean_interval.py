"""The interval of a mean of correlated values in time."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

_LEVEL = 0.95


def mean_interval(values_T: NDArray[np.float64], *, lags: int) -> tuple[float, float, float]:
    """Mean and 95 % interval of values in order of time that are correlated up to `lags` apart.

    The variance is that of Hansen and Hodrick 1980 (every lag counts whole), or of independent values where that is
    larger; the quantile is Student's with as many degrees of freedom as there are pieces of `lags` + 1 values, less
    one. NaN bounds where there are fewer than two such pieces, and NaN for no value.
    """
    total = len(values_T)
    if not total:
        return float("nan"), float("nan"), float("nan")
    mean = float(values_T.mean())
    freedom = total / (lags + 1) - 1.0
    if total < 2 or freedom < 1.0:
        return mean, float("nan"), float("nan")
    centred_T = values_T - mean
    plain = float(centred_T @ centred_T) / total
    variance = plain + 2.0 * sum(float(centred_T[lag:] @ centred_T[:-lag]) / total for lag in range(1, lags + 1))
    error = float(np.sqrt(max(variance, plain) / (total - 1)))
    margin = float(student.ppf((1.0 + _LEVEL) / 2.0, freedom)) * error
    return mean, mean - margin, mean + margin
