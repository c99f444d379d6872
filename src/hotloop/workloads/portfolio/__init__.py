"""Portfolio allocation: prices, the series made of them, and splits in time. Nothing here loads torch."""

from hotloop.workloads.portfolio.features import Series, log_returns, prices_of_log_returns, series_of
from hotloop.workloads.portfolio.prices import Prices, read_prices, sp500_prices, synthetic_prices, write_prices
from hotloop.workloads.portfolio.splits import load

__all__ = [
    "Prices",
    "Series",
    "load",
    "log_returns",
    "prices_of_log_returns",
    "read_prices",
    "series_of",
    "sp500_prices",
    "synthetic_prices",
    "write_prices",
]
