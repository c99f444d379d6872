"""Made panels in the style of the Tokyo exchange: codes, sectors, halted days, listings and delistings, from a seed.

A panel is written stock by stock, so that it may be larger than memory. T days, F features, H horizons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hotloop.errors import PanelError
from hotloop.whole_file import whole_file

_FIRST_DAY = "2015-01-05"
_FIRST_CODE, _LAST_CODE = 1301, 9999
_SECTORS = 33  # the number of industries that the exchange in Tokyo tells apart
_MARKET_SD, _SECTOR_SD, _OWN_SD = 0.009, 0.006, 0.018
_SIGNALS = 3
_PERSISTENCE = 0.9
_CHUNK_BYTES = 1 << 26

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SyntheticPanel:
    """What to make; 3,973 codes of 1,500 days and 437 features are 10 GB.

    `signal` is the correlation of a stock's own return of the next day with what three of its features say together;
    0 plants nothing. The signal fades slowly, so that longer horizons have some of it too. `missing` is the share of
    halted days and of single values, `delisted` that of stocks which end early; as many begin late.
    """

    codes: int = 200
    days: int = 500
    features: int = 16
    horizons: tuple[int, ...] = (1, 5, 10, 20)
    signal: float = 0.1
    missing: float = 0.01
    delisted: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        derived = len(_DERIVED) + _SIGNALS
        if not 1 <= self.codes <= _LAST_CODE - _FIRST_CODE + 1 or self.days < 2 or self.features < derived:
            raise PanelError(
                f"got {self.codes} codes, {self.days} days and {self.features} features; allowed are up to "
                f"{_LAST_CODE - _FIRST_CODE + 1} codes, at least 2 days and {derived} features: change them"
            )
        shares = {"signal": self.signal, "missing": self.missing, "delisted": self.delisted}
        if not all(0.0 <= share < 1.0 for share in shares.values()):
            raise PanelError(f"got {shares}; each is from 0 to below 1: change it")
        if not self.horizons or min(self.horizons) < 1:
            raise PanelError(f"got the horizons {self.horizons}; they are days, at least 1: change them")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features in order: what follows from prices, then numbered ones, of which the first three may tell."""
        numbered = self.features - len(_DERIVED)
        return (*_DERIVED, *(f"feature_{number:03d}" for number in range(numbered)))


_DERIVED = ("return_1d", "return_5d", "return_20d", "volatility_20d")


def write_synthetic_panel(path: Path | str, panel: SyntheticPanel | None = None) -> Path:
    """Write a Parquet file, whole or not at all; the same for the same seed, each stock by itself.

    Columns: code, date, sector, the features, exposure_beta, exposure_size and target_<h>d, the log return of the next
    h days, null where the stock has no such day. Rows are by code, then by date.
    """
    panel, file = panel or SyntheticPanel(), Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as temporary:
        writer: pq.ParquetWriter | None = None
        try:
            for table in _chunks(panel):
                writer = writer or pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
    return file


def _chunks(panel: SyntheticPanel) -> Iterator[pa.Table]:
    row_bytes = 4 * (panel.features + len(panel.horizons) + 2) + 32
    per_chunk = max(1, _CHUNK_BYTES // (row_bytes * panel.days))
    common = _Common(panel)
    for first in range(0, panel.codes, per_chunk):
        stocks = [common.stock(number) for number in range(first, min(first + per_chunk, panel.codes))]
        yield pa.concat_tables(stocks)


class _Common:
    """What all stocks share: the calendar, the market and the sectors."""

    def __init__(self, panel: SyntheticPanel) -> None:
        rng = np.random.default_rng([panel.seed, 0])
        self._panel = panel
        self._dates = np.busday_offset(np.datetime64(_FIRST_DAY), np.arange(panel.days), roll="forward")
        self._market_T: Values = rng.standard_normal(panel.days) * _MARKET_SD
        self._sectors_ST: Values = rng.standard_normal((_SECTORS, panel.days)) * _SECTOR_SD
        numbered = panel.features - len(_DERIVED)
        # Scales from shares to prices, as in real panels; the centre may be far from 0.
        self._scale_F: Values = 10.0 ** rng.uniform(-2, 3, numbered)
        self._center_F: Values = rng.standard_normal(numbered) * self._scale_F * 10.0
        codes = np.linspace(_FIRST_CODE, _LAST_CODE, panel.codes) if panel.codes > 1 else np.array([_FIRST_CODE])
        self._codes: list[str] = [f"{int(code)}" for code in codes]

    def stock(self, number: int) -> pa.Table:
        """All rows of one stock."""
        panel = self._panel
        rng = np.random.default_rng([panel.seed, 1, number])
        days, numbered = panel.days, len(self._scale_F)
        states_TF = _persistent(rng.standard_normal((days, numbered)))
        sector, beta, size = int(rng.integers(_SECTORS)), rng.normal(1.0, 0.3), rng.normal()
        volatility = _OWN_SD * np.exp(rng.normal(0.0, 0.3))
        told_T = states_TF[:, :_SIGNALS].sum(axis=1) / np.sqrt(min(_SIGNALS, numbered))
        own_T = rng.standard_normal(days) * np.sqrt(1.0 - panel.signal**2)
        own_T[1:] += panel.signal * told_T[:-1]  # what is told at the end of a day moves the next one
        returns_T = beta * self._market_T + self._sectors_ST[sector] + volatility * own_T
        first, last = _listed(rng, panel)
        columns = {
            "code": np.full(days, self._codes[number]),
            "date": self._dates,
            "sector": np.full(days, f"S{sector:02d}"),
            **dict(zip(_DERIVED, _derived(returns_T), strict=True)),
        }
        numbers_TF = self._center_F + self._scale_F * states_TF
        numbers_TF[rng.random((days, numbered)) < panel.missing] = np.nan
        columns |= dict(zip(panel.feature_names[len(_DERIVED) :], numbers_TF.T, strict=True))
        columns |= {"exposure_beta": np.full(days, beta), "exposure_size": np.full(days, size)}
        columns |= {f"target_{h}d": _forward(returns_T, h, last) for h in panel.horizons}
        kept = np.flatnonzero(rng.random(days) >= panel.missing)
        kept = kept[(kept >= first) & (kept < last)]
        return pa.table({name: _column(values[kept]) for name, values in columns.items()})


def _listed(rng: np.random.Generator, panel: SyntheticPanel) -> tuple[int, int]:
    """The first day of a stock and the one after its last."""
    fate, when = rng.random(), int(rng.integers(1, panel.days))
    if fate < panel.delisted:
        return 0, when
    return (when, panel.days) if fate < 2 * panel.delisted else (0, panel.days)


def _persistent(shocks_TF: Values) -> Values:
    """Autoregressive states of unit variance."""
    states_TF = np.empty_like(shocks_TF)
    state_F = states_TF[0] = shocks_TF[0]
    fresh = np.sqrt(1.0 - _PERSISTENCE**2)
    for step in range(1, len(shocks_TF)):
        state_F = _PERSISTENCE * state_F + fresh * shocks_TF[step]
        states_TF[step] = state_F
    return states_TF


def _derived(returns_T: Values) -> list[Values]:
    total_T = np.concatenate([[0.0], returns_T.cumsum()])
    square_T = np.concatenate([[0.0], np.square(returns_T).cumsum()])
    return [*(_trailing(total_T, span) for span in (1, 5, 20)), np.sqrt(np.maximum(_trailing(square_T, 20), 0.0) / 20)]


def _trailing(cumulative_T: Values, span: int) -> Values:
    """Sums of the last `span` values, NaN before there are so many; `cumulative_T` begins with a 0."""
    days = len(cumulative_T) - 1
    sums_T = np.full(days, np.nan)
    if days >= span:
        sums_T[span - 1 :] = cumulative_T[span:] - cumulative_T[:-span]
    return sums_T


def _forward(returns_T: Values, horizon: int, last: int) -> Values:
    """Log return of the next `horizon` days, NaN where the stock is not listed so long."""
    total_T = np.concatenate([[0.0], returns_T.cumsum()])
    forward_T = np.full(len(returns_T), np.nan)
    known = max(0, last - horizon)
    forward_T[:known] = total_T[1 + horizon : 1 + horizon + known] - total_T[1 : 1 + known]
    return forward_T


def _column(values: NDArray[np.generic]) -> pa.Array:
    if values.dtype.kind == "f":
        return pa.array(values.astype(np.float32), from_pandas=True)  # NaN becomes null
    return pa.array(values.tolist()) if values.dtype.kind == "U" else pa.array(values)
