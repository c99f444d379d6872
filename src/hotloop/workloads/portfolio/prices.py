"""Prices of several assets over time: made from a seed, read from a CSV file, or taken from a licensed package."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotloop.errors import WorkloadError
from hotloop.whole_file import whole_file

_FIRST_DAY = "2015-02-17"
# A liquid stock: about 1.5 % a day, a third of it overnight, volatility that stays for weeks.
_DAILY, _OVERNIGHT, _PERSISTENCE, _WOBBLE, _DRIFT, _START = 0.015, 1 / 3, 0.97, 0.15, 0.0003, 100.0


@dataclass(frozen=True, kw_only=True)
class Prices:
    """`values` of shape (T, M), float64 and positive; `dates` ascend; `names` are those of the M assets."""

    dates: tuple[date, ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = (len(self.dates), len(self.names))
        if self.values.shape != shape or shape[0] < 2 or shape[1] < 1:
            raise WorkloadError(
                f"got prices of shape {self.values.shape} for {shape[0]} dates and {shape[1]} names; "
                "one price a date and name is needed, and at least 2 dates: drop what is incomplete"
            )
        if not (np.isfinite(self.values).all() and (self.values > 0.0).all()):
            row, column = np.argwhere(~(np.isfinite(self.values) & (self.values > 0.0)))[0]
            raise WorkloadError(
                f"the price of {self.names[column]!r} on {self.dates[row]} is {self.values[row, column]}; "
                "prices must be positive numbers: fill the gap or drop the row"
            )
        for before, after in pairwise(self.dates):
            if after <= before:
                raise WorkloadError(f"{after} follows {before}; dates must ascend, each once: sort the rows by date")

    def between(self, start: date, end: date) -> "Prices":
        """The rows with start <= date < end. Raises WorkloadError where fewer than 2 are left."""
        keep = [index for index, day in enumerate(self.dates) if start <= day < end]
        return Prices(dates=tuple(self.dates[i] for i in keep), names=self.names, values=self.values[keep])


def synthetic_prices(seed: int = 0, *, days: int = 506, assets: int = 1) -> Prices:
    """Open and close of `assets` stocks over `days` weekdays, shape (days, 2 * assets); the same for the same seed.

    Log returns are Gaussian with a volatility that is an autoregressive process in logs (Taylor 1982), drawn apart for
    the night and the day. Columns are named open and close for one asset, open_1, close_1, ... for more.
    """
    if days < 2 or assets < 1:
        raise WorkloadError(f"got {days} days and {assets} assets; at least 2 and 1 are needed: ask for more")
    rng = np.random.default_rng(seed)
    volatility = _volatility(rng.standard_normal((days, assets)))
    night, day = rng.standard_normal((2, days, assets)) * volatility
    night *= np.sqrt(_OVERNIGHT)
    day = day * np.sqrt(1.0 - _OVERNIGHT) + _DRIFT
    night[0] = 0.0
    closes = (night + day).cumsum(axis=0)
    logs = np.stack([closes - day, closes], axis=2).reshape(days, 2 * assets)
    first = np.datetime64(_FIRST_DAY)
    dates = np.busday_offset(first, np.arange(days), roll="forward").astype(object)
    numbers = [""] if assets == 1 else [f"_{number}" for number in range(1, assets + 1)]
    names = tuple(f"{kind}{number}" for number in numbers for kind in ("open", "close"))
    return Prices(dates=tuple(dates), names=names, values=_START * np.exp(logs))


def read_prices(path: str | Path, *, columns: Sequence[str] | None = None) -> Prices:
    """The prices in a CSV file with a header, a column `date` (YYYY-MM-DD) and one column an asset.

    `columns` chooses assets and their order; without it all other columns are taken. Raises WorkloadError that names
    the line for a file that is missing, has no such column, or holds what is not a date or a positive number.
    """
    file = Path(path)
    if not file.is_file():
        raise WorkloadError(f"no such file: {file} (looked in {Path.cwd()}); give the path of a CSV file with prices")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        names = _chosen(tuple(reader.fieldnames or ()), columns, file)
        rows = [(_day(row, file, reader.line_num), _quotes(row, names, file, reader.line_num)) for row in reader]
    values = np.array([quotes for _, quotes in rows], dtype=np.float64).reshape(len(rows), len(names))
    return Prices(dates=tuple(day for day, _ in rows), names=names, values=values)


def write_prices(prices: Prices, path: str | Path) -> None:
    """Write a CSV file that `read_prices` reads back to the last bit; to a temporary name first, then renamed."""
    file = Path(path)
    with whole_file(file) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", *prices.names])
        for day, row in zip(prices.dates, prices.values.tolist(), strict=True):
            writer.writerow([day.isoformat(), *map(repr, row)])


def sp500_prices() -> Prices:
    """Daily adjusted closes of 20 S&P 500 stocks, 1990-01-02 to 2022-12-28, from the package skfolio; no network.

    The set lies inside skfolio's wheel (BSD-3-Clause; its authors call it stale and meant for tests and examples). The
    20 companies are ones that still existed at the end: whoever held them knew the survivors in advance, so returns
    are higher than an investor of the time could expect. Raises WorkloadError where skfolio is not installed.
    """
    try:
        from skfolio.datasets import load_sp500_dataset
    except ModuleNotFoundError as error:
        raise WorkloadError(
            f"real prices come with the package skfolio, which cannot be imported ({error}); "
            "pip install 'hotloop[portfolio]', or give a CSV file of your own"
        ) from error
    frame = load_sp500_dataset()
    dates = tuple(stamp.date() for stamp in frame.index)
    return Prices(dates=dates, names=tuple(map(str, frame.columns)), values=frame.to_numpy(dtype=np.float64))


def _volatility(shocks: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.zeros(shocks.shape[1])
    rows: list[NDArray[np.float64]] = []
    for shock in shocks:
        logs = _PERSISTENCE * logs + _WOBBLE * shock
        rows.append(logs)
    return _DAILY * np.exp(np.stack(rows))


def _chosen(header: tuple[str, ...], columns: Sequence[str] | None, file: Path) -> tuple[str, ...]:
    names = tuple(columns) if columns is not None else tuple(name for name in header if name != "date")
    missing = [name for name in ("date", *names) if name not in header]
    if missing or not names:
        raise WorkloadError(
            f"{file} has the columns {', '.join(header) or 'none'}, which lack {', '.join(missing) or 'any price'}; "
            "the first line must name a column date and one column an asset: add the header"
        )
    return names


def _day(row: dict[str, str], file: Path, line: int) -> date:
    try:
        return date.fromisoformat(row["date"])
    except ValueError as error:
        raise WorkloadError(
            f"{file}, line {line}: {row['date']!r} is not a date; dates are written YYYY-MM-DD: convert the column"
        ) from error


def _quotes(row: dict[str, str], names: tuple[str, ...], file: Path, line: int) -> list[float]:
    try:
        return [float(row[name]) for name in names]
    except (TypeError, ValueError) as error:
        found = {name: row[name] for name in names}
        raise WorkloadError(
            f"{file}, line {line}: got {found}; every column must hold one number: fill the gap or drop the line"
        ) from error
