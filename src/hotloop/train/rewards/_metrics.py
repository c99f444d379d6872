"""What a portfolio did, from its shares and the prices; NumPy in float64, so that no command has to load torch."""

from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Turnover = Literal["target", "drifted"]


class PortfolioMetrics(TypedDict):
    """`sharpe` is not annualized unless periods_per_year was given; `turnover` is the mean traded in a period.

    `max_drawdown` is the deepest fall from a peak as a share of that peak, from -1 to 0. Signs and means are those
    of psann.
    """

    cum_return: float
    log_return: float
    sharpe: float
    max_drawdown: float
    turnover: float


def portfolio_metrics(
    actions: ArrayLike,
    prices: ArrayLike,
    *,
    transition_penalty: float = 0.0,
    eps: float = 1e-8,
    periods_per_year: float = 1.0,
    turnover: Turnover = "target",
) -> PortfolioMetrics:
    """The figures of one series of shares (T, M) held over prices (T, M), after costs.

    Costs are those of the reward: with turnover "target", the log return of a period is log g_t - penalty
    ||a_{t+1} - a_t||_1, so `log_return` equals the reward `multiplicative_return`; with "drifted", it is log g_t +
    log(1 - penalty tau_t) as in the reward `drifting_turnover`. (psann 0.12 subtracts the cost from the growth in its
    metrics and from the logarithm in its reward: the two disagree by the order of cost x return.)
    `sharpe` is the mean of the simple returns of the periods over their standard deviation (ddof 1), times the root of
    `periods_per_year`; NaN where there are fewer than two periods or no spread.
    Raises ValueError for shapes other than (T, M) twice, T < 2, values that are not finite, or prices that are not
    positive.
    """
    logs, traded = _net_logs(actions, prices, penalty=transition_penalty, eps=eps, turnover=turnover)
    curve = np.concatenate([[0.0], np.cumsum(logs)])
    return PortfolioMetrics(
        cum_return=float(np.expm1(curve[-1])),
        log_return=float(curve[-1]),
        sharpe=_sharpe(np.expm1(logs)) * float(np.sqrt(periods_per_year)),
        max_drawdown=float(np.expm1((curve - np.maximum.accumulate(curve)).min())),
        turnover=float(traded.mean()),
    )


def wealth_curve(
    actions: ArrayLike, prices: ArrayLike, *, transition_penalty: float = 0.0, turnover: Turnover = "target"
) -> NDArray[np.float64]:
    """Wealth after 0, 1, ..., T-1 periods, starting at 1, shape (T,); costs and errors as in `portfolio_metrics`."""
    logs, _ = _net_logs(actions, prices, penalty=transition_penalty, eps=1e-8, turnover=turnover)
    return np.exp(np.concatenate([[0.0], np.cumsum(logs)]))


def _net_logs(
    actions: ArrayLike, prices: ArrayLike, *, penalty: float, eps: float, turnover: Turnover
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Net log return and what was traded, both of shape (T-1,)."""
    shares, quotes = _checked(actions, prices)
    growth = quotes[1:] / (quotes[:-1] + eps)
    wealth = np.maximum((shares[:-1] * growth).sum(axis=1), eps)
    if turnover == "target":
        traded = np.abs(np.diff(shares, axis=0)).sum(axis=1)
        return np.log(wealth) - penalty * traded, traded
    if turnover == "drifted":
        traded = np.abs(shares[1:] - shares[:-1] * growth / wealth[:, None]).sum(axis=1)
        return np.log(wealth) + np.log(np.maximum(1.0 - penalty * traded, eps)), traded
    raise ValueError(f"got turnover {turnover!r}; it is 'target' or 'drifted': name one of them")


def _sharpe(returns: NDArray[np.float64]) -> float:
    if len(returns) < 2:
        return float("nan")
    spread = returns.std(ddof=1)
    return float(returns.mean() / spread) if spread > 0.0 else float("nan")


def _checked(actions: ArrayLike, prices: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shares, quotes = np.asarray(actions, dtype=np.float64), np.asarray(prices, dtype=np.float64)
    if shares.ndim != 2 or shares.shape != quotes.shape or len(shares) < 2:
        raise ValueError(
            f"got shares of shape {shares.shape} and prices of shape {quotes.shape}; both must be (steps, assets) with "
            "at least 2 steps: give one price for each share"
        )
    if not np.isfinite(shares).all():
        raise ValueError("got shares that are not finite; every share must be a number: look for a NaN in the model")
    if not (np.isfinite(quotes).all() and (quotes > 0.0).all()):
        raise ValueError("got prices that are not positive numbers; give prices, not returns, and fill gaps first")
    return shares, quotes
