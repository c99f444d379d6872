"""Episodic training of an allocation policy on made prices: `hotloop tune portfolio`, a few ms a step on one core."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hotloop.models.residual import ResPSANN
from hotloop.train.episodes.context import ContextSource
from hotloop.train.episodes.reward import RewardCall
from hotloop.train.episodes.schedule import Schedule
from hotloop.train.episodes.windows import Episodes, Windows
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn
from hotloop.train.stopwatch import NoStopwatch
from hotloop.train.strategies.episodic import Episodic
from hotloop.workload import Job
from hotloop.workloads.portfolio import prices_of_log_returns, series_of, synthetic_prices

_ASSETS, _DAYS, _PENALTY = 5, 2000, 0.001
_SCHEDULE = Schedule(window=64, batch=8, episodes=64)


def build(seed: int) -> Job:
    """Residual sine net of 2 x 64 on the log returns of 5 stocks, 8 episodes of 64 days a step, Adam, norm clipped.

    The reward is the log growth of wealth less 10 basis points a unit traded. The same for the same seed.
    """
    series = torch.from_numpy(series_of(synthetic_prices(seed, days=_DAYS, assets=_ASSETS)).X)
    torch.manual_seed(seed)
    model = ResPSANN(series.shape[1], series.shape[1], hidden_layers=2, hidden_units=64)
    return Job(
        model=model,
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-3),
        batches=_Epochs(series, seed),
        strategy=Episodic(RewardCall(MultiplicativeReturn(), _PENALTY), primary_transform="softmax"),
        clip_norm=1.0,
    )


class _Epochs:
    """Passes of freshly drawn windows, without end."""

    def __init__(self, series: Tensor, seed: int) -> None:
        self._series, self._rng = series, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Episodes]:
        last = len(self._series) - _SCHEDULE.window
        starts = self._rng.integers(0, last + 1, size=(1, _SCHEDULE.episodes))
        context = ContextSource(prices_of_log_returns)
        yield from Windows(self._series, starts, _SCHEDULE, stopwatch=NoStopwatch(), extractor=context)
