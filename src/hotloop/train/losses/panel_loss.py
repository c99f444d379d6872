"""The weighted sum of losses over horizons that a panel network is trained by.

N samples, H horizons, Q quantiles.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from hotloop.data.panel.batch import PanelBatch
from hotloop.models.panel.forecast import Forecast
from hotloop.train.losses.correlation import information_coefficient, listnet, soft_rank
from hotloop.train.losses.day_groups import DayGroups
from hotloop.train.losses.pointwise import direction, huber, pinball, student_t
from hotloop.train.losses.portfolio import Turnover, exposure, sharpe


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """How much each loss counts; 0 leaves it out, and then costs nothing. `selection` is the mean feature weight."""

    pinball: float = 1.0
    huber: float = 0.0
    student_t: float = 0.0
    direction: float = 0.0
    ic: float = 0.05
    soft_rank: float = 0.0
    listnet: float = 0.0
    sharpe: float = 0.1
    exposure: float = 0.0
    turnover: float = 0.0
    selection: float = 0.01

    def __post_init__(self) -> None:
        weights = asdict(self)
        wrong = {name: weight for name, weight in weights.items() if not 0.0 <= weight < float("inf")}
        if wrong or not any(weight for name, weight in weights.items() if name != "selection"):
            raise ValueError(
                f"got the weights {wrong or weights}; each is 0 or more and one of them above: change them"
            )


class PanelLoss(nn.Module):
    """The loss of a forecast: each part a mean over days or samples, averaged over horizons by `horizon_weights`.

    `scale_H` are the deviations of the targets in the training span: targets are divided by them, so that horizons and
    losses are of one size, and forecasts are in these units. Raises ValueError for a part whose head or exposures are
    missing, when it is first called.
    """

    levels: Tensor
    scale: Tensor
    shares: Tensor

    def __init__(
        self,
        weights: LossWeights,
        *,
        levels: tuple[float, ...],
        horizon_weights: tuple[float, ...],
        scale_H: Tensor,
        num_stocks: int,
    ) -> None:
        super().__init__()
        if len(horizon_weights) != len(scale_H) or min(horizon_weights) < 0.0 or not sum(horizon_weights):
            raise ValueError(
                f"got the horizon weights {horizon_weights} for {len(scale_H)} horizons; one a horizon is needed, 0 or "
                "more and not all 0: change them"
            )
        self._weights = {name: weight for name, weight in asdict(weights).items() if weight}
        self.register_buffer("levels", torch.tensor(levels))
        self.register_buffer("scale", scale_H.clone())
        shares = torch.tensor(horizon_weights)
        self.register_buffer("shares", shares / shares.sum())
        self.turnover = Turnover(num_stocks, len(scale_H)) if weights.turnover else None

    def forward(self, forecast: Forecast, batch: PanelBatch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss, and each part before it is weighted; nothing is read from the device."""
        target_NH = batch.targets / self.scale
        valid_NH = target_NH.isfinite()
        days = DayGroups(batch.group, batch.num_groups, valid_NH, largest=batch.largest)
        parts = {name: self._part(name, forecast, target_NH.nan_to_num(), batch, days) for name in self._weights}
        total = torch.stack([self._weights[name] * part for name, part in parts.items()]).sum()
        return total, parts

    def _part(self, name: str, forecast: Forecast, target_NH: Tensor, batch: PanelBatch, days: DayGroups) -> Tensor:
        if name == "selection":
            return forecast.selection.float().mean()
        point_NH = forecast.point
        if name in _OF_POINT:
            losses_H = _OF_POINT[name](point_NH, target_NH, days)
        elif name == "pinball":
            losses_H = pinball(forecast.quantiles, target_NH, self.levels, days)
        elif name == "student_t":
            losses_H = student_t(_present(forecast.student, name), target_NH, days)
        elif name == "direction":
            losses_H = direction(_present(forecast.direction, name), target_NH, days)
        elif name == "exposure":
            losses_H = exposure(point_NH, _with_factors(batch.exposures), days)
        else:
            assert self.turnover is not None
            losses_H = self.turnover(point_NH, batch.stock, days)
        return (losses_H * self.shares).sum()


_OF_POINT = {
    "huber": huber,
    "ic": information_coefficient,
    "soft_rank": soft_rank,
    "listnet": listnet,
    "sharpe": sharpe,
}


def _present(head: Tensor | None, name: str) -> Tensor:
    if head is None:
        raise ValueError(f"the loss {name} has a weight, but the network has no such head: add it, or give weight 0")
    return head


def _with_factors(exposures_NE: Tensor) -> Tensor:
    if not exposures_NE.shape[1]:
        raise ValueError("the loss exposure has a weight, but the panel has no exposure_ column: add one, or give 0")
    return exposures_NE
