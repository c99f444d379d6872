"""Losses of what a portfolio would do with a forecast: Sharpe, exposures, turnover; one value a horizon.

N samples, D days, H horizons, E exposures, C stocks of the panel.
"""

import math

import torch
from torch import Tensor, nn

from hotloop.train.losses.day_groups import DayGroups

EPSILON, CLIP, RIDGE = 1e-8, 5.0, 1e-4
_LARGEST_EXPONENT = 700.0  # of a float64


def sharpe(point_NH: Tensor, target_NH: Tensor, days: DayGroups) -> Tensor:
    """Less the return of a day's portfolio over the root of its summed squares, (H,).

    Weights are z-scores of the day, clipped to +-5, of absolute sum 1.
    """
    centred_NH = days.centred(point_NH)
    deviation_DH = (days.mean(centred_NH.square()) + EPSILON).sqrt()
    z_NH = (centred_NH / days.segments.spread(deviation_DH)).clamp(-CLIP, CLIP)
    weights_NH = z_NH / days.segments.spread(days.sum(z_NH.abs()) + EPSILON)
    earned_NH = weights_NH * torch.where(days.valid_NH, target_NH, 0.0)
    return days.over_days(-days.sum(earned_NH) / (days.sum(earned_NH.square()) + EPSILON).sqrt())


def exposure(point_NH: Tensor, exposures_NE: Tensor, days: DayGroups) -> Tensor:
    """The share of a day's variance of the forecast that its exposures explain (R^2 of a ridge regression), (H,).

    Every stock of a day counts, whether its target is known or not; a singular system gives NaN and not an error,
    which would ask the device.
    """
    segments = days.segments
    size_D = segments.sum(torch.ones_like(point_NH[:, 0])).clamp(min=1.0)
    point_NH = point_NH - segments.spread(segments.sum(point_NH) / size_D[:, None])
    factors_NE = exposures_NE - segments.spread(segments.sum(exposures_NE) / size_D[:, None])
    gram_DEE = segments.sum(factors_NE.unsqueeze(2) * factors_NE.unsqueeze(1)) / size_D[:, None, None]
    cross_DEH = segments.sum(factors_NE.unsqueeze(2) * point_NH.unsqueeze(1)) / size_D[:, None, None]
    ridge_EE = RIDGE * torch.eye(gram_DEE.shape[-1], dtype=gram_DEE.dtype, device=gram_DEE.device)
    loadings_DEH, _ = torch.linalg.solve_ex(gram_DEE + ridge_EE, cross_DEH, check_errors=False)
    explained_DH = (loadings_DEH * cross_DEH).sum(1)
    return days.over_days(explained_DH / (segments.sum(point_NH.square()) / size_D[:, None] + EPSILON))


class Turnover(nn.Module):
    """Mean distance of a stock's forecast from the moving average of its earlier ones, (H,).

    The averages are state, one a stock and horizon, and are not differentiated. Days of a batch are taken in their
    order; a stock that was not seen yet is compared with nothing. Works for all days at once: the average before day d
    is decay^c_d (e + (1 - decay) sum_k p_k decay^-c_k), c counting the earlier days of the stock.
    """

    average: Tensor
    is_seen: Tensor

    def __init__(self, num_stocks: int, num_horizons: int, *, decay: float = 0.9) -> None:
        super().__init__()
        if not 0.0 < decay < 1.0:
            raise ValueError(f"got the decay {decay}; a moving average forgets by a number between 0 and 1: give one")
        self.decay = decay
        self.register_buffer("average", torch.zeros(num_stocks, num_horizons))
        self.register_buffer("is_seen", torch.zeros(num_stocks, dtype=torch.bool))

    def forward(self, point_NH: Tensor, stock_N: Tensor, days: DayGroups) -> Tensor:
        """The penalty, by which the averages move on. Raises ValueError for more days than float64 can weigh."""
        before_NH, known_N = self._averages(point_NH.detach().double(), stock_N, days)
        distance_NH = (point_NH - before_NH.to(point_NH.dtype)).abs() * known_N[:, None]
        return distance_NH.sum(0) / known_N.sum().clamp(min=1)

    @torch.no_grad()
    def _averages(self, point_NH: Tensor, stock_N: Tensor, days: DayGroups) -> tuple[Tensor, Tensor]:
        num_days = days.segments.num_groups
        if num_days * -math.log(self.decay) > _LARGEST_EXPONENT:
            raise ValueError(
                f"got {num_days} days in a batch with decay {self.decay}; their weights leave the range of float64: "
                "give fewer days a batch, or a decay nearer to 1"
            )
        cells_N = stock_N * num_days + days.segments.group_N  # a stock has one sample a day
        grid_CDH = self._grid(point_NH, cells_N, num_days)
        present_CD = self._grid(torch.ones_like(point_NH[:, :1]), cells_N, num_days).squeeze(-1)
        count_CD = present_CD.cumsum(1)
        before_CD = count_CD - present_CD
        weighted_CDH = grid_CDH * (self.decay**-count_CD)[:, :, None]
        sums_CDH = weighted_CDH.cumsum(1)
        first_C = present_CD.argmax(1)
        first_CH = grid_CDH[torch.arange(len(first_C), device=first_C.device), first_C]
        start_CH = torch.where(self.is_seen[:, None], self.average.double(), first_CH)
        earlier_CDH = start_CH[:, None] + (1.0 - self.decay) * (sums_CDH - weighted_CDH)
        averages_CDH = earlier_CDH * (self.decay**before_CD)[:, :, None]
        known_CD = self.is_seen[:, None] | (before_CD > 0)
        last_CH = (start_CH + (1.0 - self.decay) * sums_CDH[:, -1]) * (self.decay ** count_CD[:, -1])[:, None]
        appears_C = count_CD[:, -1] > 0
        self.average.copy_(torch.where(appears_C[:, None], last_CH.to(self.average.dtype), self.average))
        self.is_seen.logical_or_(appears_C)
        return averages_CDH.flatten(0, 1)[cells_N], known_CD.flatten()[cells_N]

    def _grid(self, values_NK: Tensor, cells_N: Tensor, num_days: int) -> Tensor:
        num_stocks = len(self.is_seen)
        empty = values_NK.new_zeros((num_stocks * num_days, values_NK.shape[1]))
        return empty.index_copy(0, cells_N, values_NK).view(num_stocks, num_days, -1)
