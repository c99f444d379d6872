"""Windows over the rows of a store: the last L days of a stock, never across the border of two codes.

R rows, W windows, N samples of a batch, L steps, F features.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.data.panel.arrays import PanelArrays
from hotloop.data.panel.batch import PanelBatch, PanelSample
from hotloop.data.panel.keys import date_as_day, day_as_date
from hotloop.data.panel.sample_cache import SampleCache
from hotloop.data.panel.splits import DaySpan
from hotloop.errors import PanelError

Indices = Sequence[int] | NDArray[np.int64] | Tensor


class PanelWindows(torch.utils.data.Dataset[PanelSample]):
    """A map-style data set of all windows of `length` rows of one stock; a window is known by its last row.

    `len`, `[index]` (views, nothing is copied), `batch(indices)` (one copy into new memory), and `__getitems__`, which
    DataLoader calls with all indices of a batch. Windows are in the order of the store: by code, then by date.
    Stocks with fewer than `length` rows have none; `num_short` counts them. With a `cache`, `[index]` keeps copies.
    """

    def __init__(
        self,
        arrays: PanelArrays,
        length: int,
        *,
        span: DaySpan | None = None,
        cache: SampleCache[PanelSample] | None = None,
    ) -> None:
        if length < 1:
            raise PanelError(f"got a window of {length} rows; it has at least 1: ask for more")
        first_S = arrays.first_S
        rows_S = np.diff(first_S)
        self.num_short = int((rows_S < length).sum())
        if self.num_short == len(rows_S):
            raise PanelError(
                f"the longest of {len(rows_S)} stocks has {rows_S.max()} rows and a window {length}; nothing is left: "
                "ask for shorter windows, or bring more days"
            )
        stock_R = np.repeat(np.arange(len(rows_S)), rows_S)
        is_end_R = np.arange(len(stock_R)) - first_S[stock_R] >= length - 1
        if span is not None:
            is_end_R &= (arrays.day_R >= span.first) & (arrays.day_R <= span.last)
        self.length, self.span, self.cache = length, span, cache
        self.end_W: NDArray[np.int64] = np.flatnonzero(is_end_R)
        self.stock_W: NDArray[np.int64] = stock_R[self.end_W]
        self.day_W: NDArray[np.int32] = arrays.day_R[self.end_W]
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self.end_W)

    def __getitem__(self, index: int) -> PanelSample:
        """The window of that number; negative ones count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"got window {index} of {len(self)}")
        if self.cache is None:
            return self._view(index % len(self))
        return self.cache.get(index % len(self), self._copied)

    def __getitems__(self, indices: list[int]) -> PanelBatch:
        return self.batch(indices)

    def batch(self, indices: Indices, *, out: Tensor | None = None) -> PanelBatch:
        """The windows of those numbers, put in order of their days, in new memory.

        `out` takes the features in place of new memory, whose pages cost about as much as the copy: a tensor of at
        least so many windows in the dtype of the store, which whoever holds an earlier batch must be done with.
        Raises PanelError for no number and an `out` that does not fit, IndexError for numbers that are no window's.
        """
        index_N = self._checked(indices)
        index_N = index_N[np.argsort(self.day_W[index_N], kind="stable")]
        day_N, arrays = self.day_W[index_N], self._arrays
        starts_N = np.flatnonzero(np.diff(day_N, prepend=day_N[0] - 1))
        sizes = np.diff(starts_N, append=len(day_N))
        end_N = torch.from_numpy(self.end_W[index_N])
        return PanelBatch(
            features=self._features(end_N, out),
            targets=arrays.targets_RH.index_select(0, end_N),
            exposures=arrays.exposures_RE.index_select(0, end_N),
            group=torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes)),
            place=torch.from_numpy(np.arange(len(day_N)) - np.repeat(starts_N, sizes)),
            stock=torch.from_numpy(self.stock_W[index_N]),
            day=torch.from_numpy(day_N.astype(np.int64)),
            num_groups=len(sizes),
            largest=int(sizes.max()),
        )

    def on(self, day: int | str) -> NDArray[np.int64]:
        """Numbers of the windows that end on a day (from 1970-01-01, or YYYY-MM-DD). Raises PanelError for none."""
        number = day if isinstance(day, int) else date_as_day(day)
        found = np.flatnonzero(self.day_W == number)
        if not len(found):
            raise PanelError(
                f"no window ends on {day_as_date(number)}: {self._reason(number)}; ask for one of the days in "
                "`days`, or for shorter windows"
            )
        return found

    @property
    def days(self) -> NDArray[np.int32]:
        """The days on which windows end, each once, in order."""
        return np.unique(self.day_W)

    def _reason(self, number: int) -> str:
        if self.span is not None and not self.span.first <= number <= self.span.last:
            return "it is outside of the span"
        if (self._arrays.day_R == number).any():
            return f"no stock has {self.length} rows up to then"
        return "the panel has no row of that day"

    def _checked(self, indices: Indices) -> NDArray[np.int64]:
        index_N = np.asarray(indices, dtype=np.int64)
        if not index_N.size:
            raise PanelError("got no index; a batch has at least one window: leave empty days out")
        if index_N.min() < -len(self) or index_N.max() >= len(self):
            raise IndexError(f"got windows {index_N.min()} to {index_N.max()} of {len(self)}")
        return index_N % len(self)

    def _view(self, index: int) -> PanelSample:
        end, arrays = int(self.end_W[index]), self._arrays
        features = arrays.features_RF[end - self.length + 1 : end + 1]
        return PanelSample(features, arrays.targets_RH[end], int(self.stock_W[index]), int(self.day_W[index]))

    def _copied(self, index: int) -> PanelSample:
        sample = self._view(index)
        return sample._replace(features=sample.features.clone(), targets=sample.targets.clone())

    def _features(self, end_N: Tensor, out: Tensor | None) -> Tensor:
        rows_RF, length = self._arrays.features_RF, self.length
        shape = len(end_N), length, rows_RF.shape[1]
        features_NLF = rows_RF.new_empty(shape) if out is None else _part_of(out, shape, rows_RF.dtype)
        # Every window as a view that overlaps the next one: a window is one piece of memory, copied as such.
        width = shape[2]
        windows_RLF = rows_RF.as_strided((len(rows_RF) - length + 1, length, width), (width, width, 1))
        return torch.index_select(windows_RLF, 0, end_N - (length - 1), out=features_NLF)


def _part_of(out: Tensor, shape: tuple[int, int, int], dtype: torch.dtype) -> Tensor:
    if out.dtype != dtype or out.shape[1:] != shape[1:] or len(out) < shape[0]:
        raise PanelError(
            f"got out of shape {tuple(out.shape)} and {out.dtype}; {shape} and {dtype} are needed, or more windows: "
            "make it with torch.empty"
        )
    return out[: shape[0]]
