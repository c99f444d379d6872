"""Prices as series that an estimator reads: log returns, dense or as windows for a convolution, and back to prices."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hotloop.errors import WorkloadError
from hotloop.workloads.portfolio.prices import Prices

if TYPE_CHECKING:
    from torch import Tensor

Shape = Literal["dense", "conv"]
_SIDE = 4
WINDOW = _SIDE * _SIDE
"""Steps that one sample of shape "conv" looks back over."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """What an estimator is fitted to; all of the same length N, float32 but for `prices`.

    `X` is (N, M) for "dense" and (N, M, 4, 4) for "conv"; `y` is (N, M); `prices` (N, M) are those known at each step,
    so that the action of step t is held from prices[t] to prices[t + 1].
    """

    X: NDArray[np.float32]
    y: NDArray[np.float32]
    prices: NDArray[np.float64]


def log_returns(prices: Prices) -> NDArray[np.float32]:
    """log(p_t / p_{t-1}), shape (T, M), the first row 0."""
    returns = np.zeros_like(prices.values)
    returns[1:] = np.diff(np.log(prices.values), axis=0)
    return returns.astype(np.float32)


def series_of(prices: Prices, shape: Shape = "dense") -> Series:
    """The series of the peer's benchmark.

    "dense": X = y = log returns (T, M). "conv": 16 steps as a 4 x 4 picture a channel, T - 16 samples, y = the return
    of the step after the window. Raises WorkloadError for an unknown shape or fewer than 18 dates for "conv".
    """
    returns = log_returns(prices)
    if shape == "dense":
        return Series(X=returns, y=returns, prices=prices.values)
    if shape != "conv":
        raise WorkloadError(f"got the shape {shape!r}; it is 'dense' or 'conv': name one of them")
    count = len(returns) - WINDOW
    if count < 2:
        raise WorkloadError(f"got {len(returns)} dates; windows of {WINDOW} steps need {WINDOW + 2}: give more prices")
    windows = np.lib.stride_tricks.sliding_window_view(returns, WINDOW, axis=0)[:count]
    pictures = np.ascontiguousarray(windows).reshape(count, returns.shape[1], _SIDE, _SIDE)
    return Series(X=pictures, y=returns[WINDOW:], prices=prices.values[WINDOW - 1 : -1])


def prices_of_log_returns(inputs: "Tensor") -> "Tensor":
    """Prices up to a factor, shape (B, T, M) or (T, M): a context extractor for features that are log returns.

    `inputs` are (B, T, M) or (T, M), or pictures (..., M, 4, 4) whose last pixel is the newest return. Every
    step's price is exp of the sum of returns so far; rewards look only at ratios of prices, which are thereby exact.
    Meant for inputs that are not scaled: a scaler would change the returns.
    """
    returns = inputs[..., -1, -1] if inputs.ndim > 3 else inputs
    return returns.cumsum(-2).exp()
