"""A real panel: daily prices of S&P 500 companies that lie in the wheel of skfolio, as features and targets.

T days, M stocks.
"""

from pathlib import Path

import polars as pl

from hotloop.errors import PanelError
from hotloop.whole_file import whole_file

_LOOKBACKS = (1, 5, 20, 60)
_VOLATILITY, _LONG = 20, 250


def write_sp500_panel(path: Path | str, *, horizons: tuple[int, ...] = (1, 5, 10, 20)) -> Path:
    """Write 20 stocks from 1990 to 2022 as Parquet: code, date, seven features of past prices, target_<h>d.

    The prices come with skfolio (BSD-3-Clause; no network). The companies are ones that still existed at the end, so
    returns are higher than an investor of the time could expect; 20 stocks are a small cross-section. Raises
    PanelError where skfolio is not installed.
    """
    try:
        from skfolio.datasets import load_sp500_dataset
    except ModuleNotFoundError as error:
        raise PanelError(
            f"real prices come with the package skfolio, which cannot be imported ({error}); "
            "pip install 'hotloop[portfolio]', or bring a Parquet file of your own"
        ) from error
    frame = load_sp500_dataset()
    prices = pl.DataFrame(
        {"date": [stamp.date() for stamp in frame.index], **{str(name): frame[name].to_numpy() for name in frame}}
    )
    panel = panel_of_prices(prices, horizons=horizons)
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary:
        panel.write_parquet(temporary)
    return file


def panel_of_prices(prices: pl.DataFrame, *, horizons: tuple[int, ...]) -> pl.DataFrame:
    """A panel from prices: column `date` and a column a stock. Features look back, targets ahead, both in log returns.

    Rows without the longest lookback are left out.
    """
    log_price = pl.col("price").log()
    by_stock = [
        *(log_price.diff(days).over("code").alias(f"return_{days}d") for days in _LOOKBACKS),
        log_price.diff().rolling_std(_VOLATILITY).over("code").alias(f"volatility_{_VOLATILITY}d"),
        (log_price - log_price.rolling_max(_LOOKBACKS[-1])).over("code").alias(f"drawdown_{_LOOKBACKS[-1]}d"),
        (log_price.shift(_LOOKBACKS[2]) - log_price.shift(_LONG)).over("code").alias("momentum"),
        *((log_price.shift(-days) - log_price).over("code").alias(f"target_{days}d") for days in horizons),
    ]
    long = prices.unpivot(index="date", variable_name="code", value_name="price").sort("code", "date")
    return long.with_columns(by_stock).drop("price").filter(pl.col("momentum").is_not_null())
