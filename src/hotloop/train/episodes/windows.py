"""Episodes of a series: which windows are drawn, and how they are gathered on the device.

N steps in the series, B episodes in an update, T steps in an episode.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hotloop.train.episodes.context import ContextSource
from hotloop.train.episodes.schedule import Schedule
from hotloop.train.stopwatch import Stopwatch

Starts = np.ndarray[Any, np.dtype[np.int64]]


class Episodes(NamedTuple):
    """One batch: `rows` (B * T, ...) in order of episodes and, from an extractor, `context` (B, T, C)."""

    rows: Tensor
    context: Tensor | None
    batch: int

    def inputs(self) -> Tensor:
        """The rows as (B, T, ...)."""
        return self.rows.view(self.batch, -1, *self.rows.shape[1:])


def draw_starts(schedule: Schedule, num_steps: int, *, epochs: int, seed: int | None) -> Starts:
    """First steps of all windows of a run, shape (epochs, episodes), each in [0, N - T], by one draw.

    The stream is that of one numpy default_rng(seed).integers call an update.
    Raises ValueError for a series that is shorter than a window.
    """
    _check_length(num_steps, schedule)
    size = (epochs, schedule.episodes)
    return np.random.default_rng(seed).integers(0, num_steps - schedule.window + 1, size=size)


class Noise:
    """Adds normal noise to inputs; the stream depends on the seed and the epoch alone, so that a run can go on."""

    def __init__(self, std: float, seed: int | None, device: torch.device) -> None:
        self._std, self._epoch = std, -1
        self._entropy = np.random.SeedSequence(seed).entropy
        self._generator = torch.Generator(device)

    def __call__(self, epoch: int, rows: Tensor) -> Tensor:
        if epoch != self._epoch:
            self._epoch = epoch
            words = np.random.SeedSequence(self._entropy, spawn_key=(epoch,)).generate_state(1, np.uint64)
            self._generator.manual_seed(int(words[0] >> np.uint64(1)))
        noise = torch.randn(rows.shape, dtype=rows.dtype, device=rows.device, generator=self._generator)
        return rows.add(noise, alpha=self._std)


class Windows:
    """Batches of episodes; each pass is the next epoch. Two passes never give the same draws.

    `starts` are (epochs, episodes). `noise` is added to the inputs, in place of which the extractor sees the noisy
    ones; `context_NC` is the context of the whole series, cut with the same starts.
    """

    def __init__(
        self,
        series: Tensor,
        starts: Starts,
        schedule: Schedule,
        *,
        stopwatch: Stopwatch,
        noise: Callable[[int, Tensor], Tensor] | None = None,
        extractor: ContextSource | None = None,
        context_NC: Tensor | None = None,
    ) -> None:
        _check_length(len(series), schedule)
        self._series, self._schedule, self._stopwatch = series, schedule, stopwatch
        self._starts = starts
        self._noise, self._extractor, self._context = noise, extractor, context_NC
        self._steps = torch.arange(schedule.window, device=series.device)
        self._epoch = 0

    def __len__(self) -> int:
        return self._schedule.updates

    def skip(self, epochs: int) -> None:
        self._epoch += epochs

    def __iter__(self) -> Iterator[Episodes]:
        epoch, batch = self._epoch, self._schedule.batch
        self._epoch += 1
        starts = self._starts[epoch]
        cut = self._views(starts) if batch == 1 else self._gathered(starts)
        mark = self._stopwatch.mark
        mark("other")
        for rows, context, size in cut:
            mark("gather")
            episodes = Episodes(rows if self._noise is None else self._noise(epoch, rows), context, size)
            if self._extractor is not None:
                mark("noise")
                episodes = episodes._replace(context=self._extractor(episodes.inputs()))
            mark("context")
            yield episodes
            mark("other")

    def _views(self, starts: Starts) -> Iterator[tuple[Tensor, Tensor | None, int]]:
        series, context, window = self._series, self._context, self._schedule.window
        for start in starts.tolist():
            piece = None if context is None else context.narrow(0, start, window).unsqueeze(0)
            yield series.narrow(0, start, window), piece, 1

    def _gathered(self, starts: Starts) -> Iterator[tuple[Tensor, Tensor | None, int]]:
        series, context, batch = self._series, self._context, self._schedule.batch
        columns = torch.from_numpy(starts).to(series.device, non_blocking=True).unsqueeze(1)
        for first in range(0, len(starts), batch):
            index = columns[first : first + batch] + self._steps
            piece = None if context is None else context[index]
            yield series.index_select(0, index.view(-1)), piece, index.shape[0]


def _check_length(num_steps: int, schedule: Schedule) -> None:
    if num_steps < schedule.window:
        raise ValueError(
            f"the series has {num_steps} steps and the window {schedule.window}; an episode is a window of the series: "
            "give a longer series or a shorter window"
        )
