"""Train, validation and test parts of a price series, cut in time, as `hotloop train` wants them from a loader."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotloop.errors import WorkloadError
from hotloop.workloads.portfolio.features import Shape, series_of
from hotloop.workloads.portfolio.prices import Prices, read_prices, sp500_prices, synthetic_prices

_SOURCES = ("synthetic", "sp500")


def load(
    *,
    source: str = "synthetic",
    shape: Shape = "dense",
    seed: int = 0,
    val: float = 0.2,
    test: float = 0.2,
) -> dict[str, NDArray[np.float32] | NDArray[np.float64]]:
    """X, y and prices of the three parts by name (X_train, ..., prices_test), oldest first.

    `source` is "synthetic" (of `seed`), "sp500" (needs the extra [portfolio]), or the path of a CSV file. `val` and
    `test` are shares of the steps; a part of share 0 is left out. Every sample looks only back, so that parts may
    touch. Raises WorkloadError for other sources or shares.
    """
    series = series_of(_prices(source, seed), shape)
    total = len(series.X)
    num_val, num_test = int(total * val), int(total * test)
    if not (0.0 <= val < 1.0 and 0.0 <= test < 1.0) or total - num_val - num_test < 2:
        raise WorkloadError(
            f"got val {val} and test {test} of {total} steps; both are shares from 0 to 1 that leave at least 2 steps "
            "to train on: choose smaller ones"
        )
    bounds = {
        "train": (0, total - num_val - num_test),
        "val": (total - num_val - num_test, total - num_test),
        "test": (total - num_test, total),
    }
    return {
        f"{name}_{part}": values[start:end]
        for part, (start, end) in bounds.items()
        if end > start
        for name, values in (("X", series.X), ("y", series.y), ("prices", series.prices))
    }


def _prices(source: str, seed: int) -> Prices:
    if source == "synthetic":
        return synthetic_prices(seed)
    if source == "sp500":
        return sp500_prices()
    if Path(source).suffix.lower() == ".csv":
        return read_prices(source)
    raise WorkloadError(
        f"got the source {source!r}; it is one of {', '.join(_SOURCES)}, or a path that ends in .csv: name one of them"
    )
