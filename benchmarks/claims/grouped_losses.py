"""Losses by trading day: a Python loop over the days as found, or sums over segments without a host read.

Shapes: N samples, D days, Q quantiles. Every loss is the mean over days; a day may have one sample.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

EPSILON, CLIP, TEMPERATURE = 1e-8, 5.0, 0.5


def squared(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square().mean()


def correlation(prediction: Tensor, target: Tensor) -> Tensor:
    """One less the cross-sectional IC."""
    p, t = prediction - prediction.mean(), target - target.mean()
    return 1 - (p * t).mean() / (p.square().mean() * t.square().mean() + EPSILON).sqrt()


def sharpe(prediction: Tensor, target: Tensor) -> Tensor:
    """Less the return of a portfolio of clipped z-scores over its own deviation."""
    centred = prediction - prediction.mean()
    z = (centred / (centred.square().mean() + EPSILON).sqrt()).clamp(-CLIP, CLIP)
    pnl = z / (z.abs().sum() + EPSILON) * target
    return -pnl.sum() / (pnl.square().sum() + EPSILON).sqrt()


def listnet(prediction: Tensor, target: Tensor) -> Tensor:
    """Cross entropy between the softmax of targets and of predictions."""
    return -((target / TEMPERATURE).softmax(0) * (prediction / TEMPERATURE).log_softmax(0)).sum()


BY_DAY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared error": squared,
    "IC": correlation,
    "Sharpe": sharpe,
    "ListNet": listnet,
}


def looped(prediction_N: Tensor, target_N: Tensor, day_N: Tensor) -> Tensor:
    """The four losses, each with its own loop over the days as found."""
    return torch.stack([loop(loss, prediction_N, target_N, day_N) for loss in BY_DAY.values()])


def loop(loss: Callable[[Tensor, Tensor], Tensor], prediction_N: Tensor, target_N: Tensor, day_N: Tensor) -> Tensor:
    days = torch.unique(day_N)
    total = prediction_N.new_zeros(())
    for day in days:
        mask_N = day_N == day
        total = total + loss(prediction_N[mask_N], target_N[mask_N])
    return total / len(days)


class Segments:
    """Sums, means and softmaxes over samples of the same day; `num_days` comes from the sampler, on the host."""

    def __init__(self, day_N: Tensor, num_days: int) -> None:
        self.day_N, self.num_days = day_N, num_days
        self.size_D = self.sum(torch.ones_like(day_N, dtype=torch.float32))

    def sum(self, values_N: Tensor) -> Tensor:
        return values_N.new_zeros(self.num_days).index_add(0, self.day_N, values_N)

    def mean(self, values_N: Tensor) -> Tensor:
        return self.sum(values_N) / self.size_D

    def centred(self, values_N: Tensor) -> Tensor:
        return values_N - self.mean(values_N)[self.day_N]

    def log_softmax(self, values_N: Tensor) -> Tensor:
        lowest_D = values_N.new_full((self.num_days,), -torch.inf)
        highest_D = lowest_D.scatter_reduce(0, self.day_N, values_N.detach(), "amax")
        shifted_N = values_N - highest_D[self.day_N]
        return shifted_N - self.sum(shifted_N.exp()).log()[self.day_N]


def segmented(prediction_N: Tensor, target_N: Tensor, day_N: Tensor, num_days: int) -> Tensor:
    """The same four losses; every day from 0 to `num_days` - 1 must have a sample."""
    days = Segments(day_N, num_days)
    error = days.mean((prediction_N - target_N).square()).mean()
    p_N, t_N = days.centred(prediction_N), days.centred(target_N)
    variance_D = days.mean(p_N.square())
    ic_D = days.mean(p_N * t_N) / (variance_D * days.mean(t_N.square()) + EPSILON).sqrt()
    z_N = (p_N / (variance_D + EPSILON).sqrt()[day_N]).clamp(-CLIP, CLIP)
    pnl_N = z_N / (days.sum(z_N.abs()) + EPSILON)[day_N] * target_N
    sharpe_D = -days.sum(pnl_N) / (days.sum(pnl_N.square()) + EPSILON).sqrt()
    wanted_N, given_N = days.log_softmax(target_N / TEMPERATURE).exp(), days.log_softmax(prediction_N / TEMPERATURE)
    return torch.stack([error, (1 - ic_D).mean(), sharpe_D.mean(), -days.sum(wanted_N * given_N).mean()])


def pinball_looped(prediction_NQ: Tensor, target_N: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """Pinball loss as found: one quantile after the other."""
    total = prediction_NQ.new_zeros(())
    for number, quantile in enumerate(quantiles):
        error_N = target_N - prediction_NQ[:, number]
        total = total + torch.max(quantile * error_N, (quantile - 1) * error_N).mean()
    return total / len(quantiles)


def pinball_at_once(prediction_NQ: Tensor, target_N: Tensor, quantile_Q: Tensor) -> Tensor:
    """The same for all quantiles."""
    error_NQ = target_N[:, None] - prediction_NQ
    return torch.maximum(quantile_Q * error_NQ, (quantile_Q - 1) * error_NQ).mean()
