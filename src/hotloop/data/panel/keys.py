"""Whose rows they are: the (code, date) keys of a panel, checked, and the order in which a store keeps its rows.

R rows, S stocks.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hotloop.data.panel.columns import ResolvedColumns
from hotloop.errors import PanelError

_DAY = np.dtype("datetime64[D]")


@dataclass(frozen=True, kw_only=True)
class RowKeys:
    """Keys in the order of a store: by code, then by date.

    `codes` are sorted, so that a number means the same stock in every process; rows `first_S[s]` to `first_S[s + 1]`
    are those of stock s. `day_R` counts days from 1970-01-01. `place_R` maps the rows as read to those of the store.
    """

    codes: tuple[str, ...]
    first_S: NDArray[np.int64]  # one more than there are stocks
    day_R: NDArray[np.int32]
    place_R: NDArray[np.int64]


def read_keys(files: tuple[Path, ...], columns: ResolvedColumns) -> RowKeys:
    """The keys of all rows; rows may come in any order.

    Raises PanelError for keys that are missing, of a type that is none, or that two rows share.
    """
    try:
        frames = [pl.read_parquet(file, columns=[columns.code, columns.date]) for file in files]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PanelError(
            f"the keys of {', '.join(map(str, files))} cannot be read ({error}): write it again"
        ) from error
    frame = pl.concat([_as_keys(frame, columns, file) for frame, file in zip(frames, files, strict=True)])
    if not frame.height:
        raise PanelError(f"{', '.join(map(str, files))} hold no row; a panel needs at least one: write some")
    codes: list[str] = frame["code"].unique().sort().to_list()
    stock_R = frame["code"].cast(pl.Enum(codes)).to_physical().to_numpy().astype(np.int32)
    day_R = frame["date"].to_numpy().astype(_DAY).astype(np.int32)
    order_R = np.lexsort((day_R, stock_R))
    stock_R, day_R = stock_R[order_R], day_R[order_R]
    same_R = (stock_R[1:] == stock_R[:-1]) & (day_R[1:] == day_R[:-1])
    if same_R.any():
        found = np.flatnonzero(same_R)
        keys = ", ".join(f"{codes[stock_R[row]]} on {day_as_date(int(day_R[row]))}" for row in found[:3])
        raise PanelError(
            f"{len(found)} rows repeat the code and date of another (first {keys}); a stock has one row a day: "
            "drop or merge them"
        )
    place_R = np.empty(len(order_R), np.int64)
    place_R[order_R] = np.arange(len(order_R))
    first_S = np.searchsorted(stock_R, np.arange(len(codes) + 1)).astype(np.int64)
    return RowKeys(codes=tuple(codes), first_S=first_S, day_R=day_R, place_R=place_R)


def day_as_date(day: int) -> date:
    """The date so many days after 1970-01-01."""
    return date.fromordinal(day + date(1970, 1, 1).toordinal())


def date_as_day(value: date | str) -> int:
    """Days from 1970-01-01 to a date, which may be written YYYY-MM-DD. Raises PanelError for other texts."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PanelError(f"got the date {value!r}; dates are written YYYY-MM-DD: write it so") from error
    return found.toordinal() - date(1970, 1, 1).toordinal()


def _as_keys(frame: pl.DataFrame, columns: ResolvedColumns, file: Path) -> pl.DataFrame:
    code, day = frame[columns.code], frame[columns.date]
    if not (code.dtype == pl.String or code.dtype.is_integer() or code.dtype == pl.Categorical):
        raise PanelError(
            f"{file}: {columns.code} is {code.dtype}; codes are texts or integers (1301.0 and 1301 would be two "
            "stocks): cast the column"
        )
    if not isinstance(day.dtype, pl.Date | pl.Datetime):
        raise PanelError(
            f"{file}: {columns.date} is {day.dtype}; dates are of type date or datetime: convert the column"
        )
    for name, values in ((columns.code, code), (columns.date, day)):
        if values.null_count():
            raise PanelError(f"{file}: {values.null_count()} rows have no {name}; each row needs one: drop the others")
    return pl.DataFrame({"code": code.cast(pl.String), "date": day.cast(pl.Date)})
