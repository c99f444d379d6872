"""Losses of each sample by itself: pinball, Huber, Student-t, direction; means over known samples, one a horizon.

N samples, H horizons, Q quantiles.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hotloop.train.losses.day_groups import DayGroups


def pinball(quantiles_NHQ: Tensor, target_NH: Tensor, levels_Q: Tensor, days: DayGroups) -> Tensor:
    """Mean over quantiles of max(q e, (q - 1) e) with e = target - forecast, (H,). Koenker and Bassett 1978."""
    error_NHQ = target_NH.unsqueeze(-1) - quantiles_NHQ
    return days.over_samples(torch.maximum(levels_Q * error_NHQ, (levels_Q - 1.0) * error_NHQ).mean(-1))


def huber(point_NH: Tensor, target_NH: Tensor, days: DayGroups, *, delta: float = 1.0) -> Tensor:
    """Squared below `delta`, linear above, (H,). Huber 1964."""
    known_NH = torch.where(days.valid_NH, target_NH, 0.0)
    return days.over_samples(functional.huber_loss(point_NH, known_NH, reduction="none", delta=delta))


def student_t(student_NH3: Tensor, target_NH: Tensor, days: DayGroups) -> Tensor:
    """Negative log-likelihood under Student's t with location, scale and degrees of freedom, (H,)."""
    location_NH, scale_NH, freedom_NH = student_NH3.unbind(-1)
    z_NH = (torch.where(days.valid_NH, target_NH, 0.0) - location_NH) / scale_NH
    half_NH = (freedom_NH + 1.0) / 2.0
    normalizer_NH = (
        torch.lgamma(half_NH) - torch.lgamma(freedom_NH / 2.0) - 0.5 * torch.log(freedom_NH * math.pi) - scale_NH.log()
    )
    return days.over_samples(half_NH * torch.log1p(z_NH.square() / freedom_NH) - normalizer_NH)


def direction(logits_NH: Tensor, target_NH: Tensor, days: DayGroups) -> Tensor:
    """Cross entropy of the sign of the target, (H,); a target of 0 counts as half up."""
    up_NH = torch.where(days.valid_NH, (target_NH.sign() + 1.0) / 2.0, 0.5)
    return days.over_samples(functional.binary_cross_entropy_with_logits(logits_NH, up_NH, reduction="none"))
