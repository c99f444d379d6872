"""Batches by day: whole days together, so that a cross-section is never cut in two."""

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hotloop.data.panel.windows import PanelWindows
from hotloop.errors import PanelError


class DayBatches:
    """A batch sampler: the windows of `days_per_batch` days, all of them or `samples_per_day` drawn anew each epoch.

    Each pass is the next epoch; with `shuffle` the days come in another order each time, drawn from `seed` and the
    epoch alone, so that a run can go on by `set_epoch`. Of `world_size` ranks each gets other days of one order, and
    as many batches: the last ones repeat days where they do not divide. Batches differ in size as days do.
    """

    def __init__(
        self,
        windows: PanelWindows,
        *,
        days_per_batch: int = 1,
        samples_per_day: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        counts = {"days_per_batch": days_per_batch, "samples_per_day": samples_per_day, "world_size": world_size}
        wrong = {name: value for name, value in counts.items() if value is not None and value < 1}
        if wrong or not 0 <= rank < world_size:
            raise PanelError(f"got {wrong or f'rank {rank} of {world_size}'}; counts are at least 1, ranks below them")
        if not len(windows):
            raise PanelError(f"no window ends in {windows.span}; there is nothing to draw: choose another span")
        order = np.argsort(windows.day_W, kind="stable")
        starts = np.flatnonzero(np.diff(windows.day_W[order], prepend=windows.day_W[order[0]] - 1))
        self._by_day: list[NDArray[np.int64]] = np.split(order, starts[1:])
        self._days_per_batch, self._samples_per_day = days_per_batch, samples_per_day
        self._shuffle, self._seed = shuffle, seed
        self._rank, self._world_size = rank, world_size
        self._epoch = 0

    def __len__(self) -> int:
        return ceil(ceil(len(self._by_day) / self._world_size) / self._days_per_batch)

    def set_epoch(self, epoch: int) -> None:
        """The next pass is that of this 0-based epoch."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self._seed, self._epoch])
        self._epoch += 1
        days = np.arange(len(self._by_day))
        if self._shuffle:
            rng.shuffle(days)
        per_rank = ceil(len(days) / self._world_size)
        own = np.resize(days, per_rank * self._world_size)[self._rank :: self._world_size]
        for first in range(0, per_rank, self._days_per_batch):
            chosen = [self._drawn(rng, day) for day in own[first : first + self._days_per_batch].tolist()]
            yield np.concatenate(chosen).tolist()

    def _drawn(self, rng: np.random.Generator, day: int) -> NDArray[np.int64]:
        windows, most = self._by_day[day], self._samples_per_day
        if most is None or len(windows) <= most:
            return windows
        return np.sort(rng.choice(windows, most, replace=False))
