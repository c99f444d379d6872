"""Metrics of forecasts by day, kept on the device and read once: IC, RankIC, Sharpe, hit rate, quantile coverage.

N samples, D days, H horizons, Q quantiles.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hotloop.kernels.segments import Segments
from hotloop.train.mean_interval import mean_interval

_TRADING_DAYS = 252
_SUMS = 3  # hits, targets that moved, known targets


@dataclass(frozen=True, kw_only=True)
class HorizonMetrics:
    """Figures of one horizon; NaN where no day had two stocks whose forecasts and targets differ.

    `ic` and `rank_ic` are means over days of Pearson's and Spearman's correlation, `ic_low` and `ic_high` the 95 %
    interval of the first. `sharpe` is that of a portfolio weighted by the centred forecast, a year, without costs.
    `hit_rate` is the share of targets other than 0 whose sign was forecast; `coverage` the share of targets below each
    quantile.
    """

    ic: float
    rank_ic: float
    ic_low: float
    ic_high: float
    sharpe: float
    hit_rate: float
    coverage: tuple[float, ...]
    days: int


class PanelMetrics:
    """Takes whole days and reads nothing before `compute`; memory is 3 numbers a day and horizon.

    `horizons` are days ahead. All figures are worked out in float64, the correlations as SciPy does.
    """

    def __init__(self, horizons: tuple[int, ...]) -> None:
        self.horizons = horizons
        self._daily: list[Tensor] = []  # (3, D, H): IC, RankIC, return of the day's portfolio
        self._days: list[Tensor] = []
        self._sums: Tensor | None = None  # (3, H)
        self._below: Tensor | None = None  # (H, Q)

    @torch.no_grad()
    def update(
        self, quantiles_NHQ: Tensor, target_NH: Tensor, *, group_N: Tensor, num_groups: int, day_N: Tensor
    ) -> None:
        """Take in whole days; NaN targets are unknown. `day_N` is the date of each sample, which tells days apart."""
        quantiles_NHQ, target_NH = quantiles_NHQ.double(), target_NH.double()
        point_NH = quantiles_NHQ[..., quantiles_NHQ.shape[-1] // 2]
        valid_NH = target_NH.isfinite() & point_NH.isfinite()
        known_NH = torch.where(valid_NH, target_NH, 0.0)
        segments = Segments(group_N, num_groups)
        ranks = segments.ranks(point_NH, valid_NH), segments.ranks(known_NH, valid_NH)
        ic_DH = _correlations(point_NH, known_NH, valid_NH, segments)
        rank_ic_DH = _correlations(*ranks, valid_NH, segments)
        self._daily.append(torch.stack([ic_DH, rank_ic_DH, _earned(point_NH, known_NH, valid_NH, segments)]))
        self._days.append(day_N.new_zeros(num_groups).index_copy(0, group_N, day_N))
        moved_NH = known_NH != 0.0
        hits_NH = moved_NH & (point_NH.sign() == known_NH.sign())
        sums = torch.stack([found_NH.sum(0) for found_NH in (hits_NH, moved_NH, valid_NH)])
        below = ((known_NH.unsqueeze(-1) <= quantiles_NHQ) & valid_NH.unsqueeze(-1)).sum(0)
        self._sums = sums if self._sums is None else self._sums + sums
        self._below = below if self._below is None else self._below + below

    def compute(self) -> dict[int, HorizonMetrics]:
        """The figures by horizon; the one place that reads. Raises ValueError for no day, and for a day cut in two."""
        if self._sums is None or self._below is None:
            raise ValueError("no batch was taken in, so there is nothing to compute: call update first")
        day_D = torch.cat(self._days).cpu().numpy()
        if len(np.unique(day_D)) < len(day_D):
            raise ValueError(
                f"{len(day_D) - len(np.unique(day_D))} days came in two pieces; a correlation is over all stocks of a "
                "day: give whole days to update, each once"
            )
        daily = torch.cat(self._daily, dim=1)[:, torch.from_numpy(np.argsort(day_D))].cpu().numpy()
        sums, below = self._sums.cpu().numpy(), self._below.cpu().numpy()
        return {
            horizon: _figures(daily[:, :, index], sums[:, index], below[index], horizon)
            for index, horizon in enumerate(self.horizons)
        }


def _figures(
    daily: NDArray[np.float64], sums: NDArray[np.int64], below: NDArray[np.int64], horizon: int
) -> HorizonMetrics:
    ic, rank_ic, earned = (row[np.isfinite(row)] for row in daily)
    # Targets of neighbouring days share all but one of their days, so the interval allows for that many lags.
    mean, low, high = mean_interval(ic, lags=horizon - 1)
    hits, moved, known = (float(value) for value in sums)
    deviation = float(earned.std(ddof=1)) if len(earned) > 1 else 0.0
    yearly = float(np.sqrt(_TRADING_DAYS / horizon))
    return HorizonMetrics(
        ic=mean,
        rank_ic=float(rank_ic.mean()) if len(rank_ic) else float("nan"),
        ic_low=low,
        ic_high=high,
        sharpe=float(earned.mean()) / deviation * yearly if deviation else float("nan"),
        hit_rate=hits / moved if moved else float("nan"),
        coverage=tuple((below / known).tolist()) if known else (),
        days=len(ic),
    )


def _correlations(first_NH: Tensor, second_NH: Tensor, valid_NH: Tensor, segments: Segments) -> Tensor:
    """Pearson's correlation by day, (D, H); NaN where fewer than 2 stocks are known or one side is constant."""
    size_DH = segments.sum(valid_NH.double())
    sides = [_centred(values_NH, valid_NH, size_DH, segments) for values_NH in (first_NH, second_NH)]
    squares_DH = segments.sum(sides[0].square()) * segments.sum(sides[1].square())
    products_DH = segments.sum(sides[0] * sides[1])
    is_defined_DH = (size_DH >= 2) & (squares_DH > 0.0)
    return torch.where(is_defined_DH, products_DH / squares_DH.sqrt(), torch.nan).clamp(-1.0, 1.0)


def _earned(point_NH: Tensor, target_NH: Tensor, valid_NH: Tensor, segments: Segments) -> Tensor:
    size_DH = segments.sum(valid_NH.double())
    centred_NH = _centred(point_NH, valid_NH, size_DH, segments)
    gross_DH = segments.sum(centred_NH.abs())
    earned_DH = segments.sum(centred_NH * target_NH) / gross_DH
    return torch.where((size_DH >= 2) & (gross_DH > 0.0), earned_DH, torch.nan)


def _centred(values_NH: Tensor, valid_NH: Tensor, size_DH: Tensor, segments: Segments) -> Tensor:
    mean_DH = segments.sum(torch.where(valid_NH, values_NH, 0.0)) / size_DH
    return torch.where(valid_NH, values_NH - segments.spread(mean_DH), 0.0)
