"""Heads of all horizons at once: quantiles that cannot cross, Student-t, direction, and a mixture by regime.

N samples, I inputs, H horizons, X experts, U units, O outputs of a head.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hotloop.models.panel import plain
from hotloop.models.panel.widened import widened
from hotloop.models.panel.written_out import written_out

_FIRST_DEVIATION = 0.05
_SMALLEST_SCALE, _LARGEST_SCALE = 1e-6, 1e3
_LEAST_FREEDOM, _MOST_FREEDOM = 2.2, 40.0  # above 2 the variance is finite


class HorizonMLPs(nn.Module):
    """A small network for each horizon and expert, (N, I) -> (N, H, O), as two batched products.

    With several experts their outputs are averaged by a softmax of `regime_NI`, what the day as a whole is like; it is
    an argument of its own, so that compiling cannot lose it.
    """

    def __init__(self, inputs: int, outputs: int, *, horizons: int, experts: int = 1) -> None:
        super().__init__()
        self.horizons, self.experts = horizons, experts
        count = horizons * experts
        self.first = nn.Parameter(torch.empty(count, inputs, inputs))
        self.first_bias = nn.Parameter(torch.zeros(count, 1, inputs))
        self.second = nn.Parameter(torch.empty(count, inputs, outputs))
        self.second_bias = nn.Parameter(torch.zeros(count, 1, outputs))
        self.regime = nn.Linear(inputs, experts) if experts > 1 else None
        bound = 1.0 / math.sqrt(inputs)
        nn.init.uniform_(self.first, -bound, bound)
        nn.init.trunc_normal_(self.second, std=_FIRST_DEVIATION)

    def forward(self, x_NI: Tensor, regime_NI: Tensor) -> Tensor:
        x_BNI = x_NI.unsqueeze(0).expand(len(self.first), -1, -1)
        h_BNI = torch.baddbmm(self.first_bias, x_BNI, self.first).relu()
        out_BNO = torch.baddbmm(self.second_bias, h_BNI, self.second)
        if self.regime is None:
            return out_BNO.transpose(0, 1)
        shares_NX = self.regime(regime_NI).softmax(1)
        out_XHNO = out_BNO.view(self.experts, self.horizons, *out_BNO.shape[1:])
        return torch.einsum("xhno,nx->nho", out_XHNO, shares_NX.to(out_BNO.dtype))


class QuantileHead(nn.Module):
    """Quantiles (N, H, Q) that ascend: the median, and positive steps away from it; a scale for each horizon."""

    steps: Tensor

    def __init__(self, inputs: int, *, horizons: int, quantiles: int, experts: int = 1) -> None:
        super().__init__()
        if quantiles % 2 == 0:
            raise ValueError(f"got {quantiles} quantiles; an odd number is needed, with the median in the middle")
        self.networks = HorizonMLPs(inputs, quantiles, horizons=horizons, experts=experts)
        self.log_scale = nn.Parameter(torch.zeros(horizons, 1))
        self.register_buffer("steps", _away_from(quantiles // 2, quantiles), persistent=False)

    def forward(self, x_NI: Tensor, regime_NI: Tensor) -> Tensor:
        raw_NHQ = widened(self.networks(x_NI, regime_NI))
        with torch.autocast(x_NI.device.type, enabled=False):  # sums of steps in float32
            if torch.compiler.is_compiling():
                return plain.ascending(raw_NHQ, self.log_scale, self.steps)
            return _Ascending.apply(raw_NHQ, self.log_scale, self.steps)


class _Ascending(torch.autograd.Function):
    """The median, and what softplus makes of the others added up away from it, times the scale of the horizon.

    Its backward is written out, and cannot be differentiated again. Horizons come first, so that it is one product.
    """

    @staticmethod
    def forward(ctx: Any, raw_NHQ: Tensor, log_scale_H1: Tensor, steps_QQ: Tensor) -> Tensor:
        raw_HNQ, middle = raw_NHQ.transpose(0, 1).contiguous(), len(steps_QQ) // 2
        median_HN1, steps_HQQ = raw_HNQ[..., middle : middle + 1], steps_QQ.expand(len(raw_HNQ), -1, -1)
        scale_H11 = log_scale_H1.exp().unsqueeze(1)
        found_HNQ = torch.baddbmm(median_HN1, functional.softplus(raw_HNQ), steps_HQQ).mul_(scale_H11)
        ctx.save_for_backward(raw_HNQ, scale_H11, steps_HQQ, found_HNQ)
        return found_HNQ.transpose(0, 1)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        raw_HNQ, scale_H11, steps_HQQ, found_HNQ = ctx.saved_tensors
        grad_HNQ, middle = grads[0].transpose(0, 1), steps_HQQ.shape[1] // 2
        scale_grad_H1 = (grad_HNQ * found_HNQ).sum((1, 2)).unsqueeze(1)
        grad_HNQ = grad_HNQ * scale_H11
        raw_grad_HNQ = torch.ops.aten.softplus_backward(grad_HNQ @ steps_HQQ.transpose(1, 2), raw_HNQ, 1.0, 20.0)
        raw_grad_HNQ[..., middle].add_(grad_HNQ.sum(-1))
        return raw_grad_HNQ.transpose(0, 1), scale_grad_H1, None


def _away_from(middle: int, quantiles: int) -> Tensor:
    """(Q, Q): what each step adds to each quantile, +1 to all above it, -1 to all below; the median's adds nothing."""
    step_Q1, level_Q = torch.arange(quantiles).unsqueeze(1), torch.arange(quantiles)
    above = (step_Q1 > middle) & (level_Q >= step_Q1)
    below = (step_Q1 < middle) & (level_Q <= step_Q1)
    return above.float() - below.float()


class StudentHead(nn.Module):
    """Location, scale and degrees of freedom of Student's t, (N, H, 3)."""

    def __init__(self, inputs: int, *, horizons: int, experts: int = 1) -> None:
        super().__init__()
        self.networks = HorizonMLPs(inputs, 3, horizons=horizons, experts=experts)

    def forward(self, x_NI: Tensor, regime_NI: Tensor) -> Tensor:
        location_NH, scale_NH, freedom_NH = widened(self.networks(x_NI, regime_NI)).unbind(-1)
        scale_NH = functional.softplus(scale_NH).clamp(_SMALLEST_SCALE, _LARGEST_SCALE)
        freedom_NH = _LEAST_FREEDOM + (_MOST_FREEDOM - _LEAST_FREEDOM) * freedom_NH.sigmoid()
        return torch.stack([location_NH, scale_NH, freedom_NH], dim=-1)


class DirectionHead(nn.Module):
    """Logits of a rise, (N, H)."""

    def __init__(self, inputs: int, *, horizons: int, experts: int = 1) -> None:
        super().__init__()
        self.networks = HorizonMLPs(inputs, 1, horizons=horizons, experts=experts)

    def forward(self, x_NI: Tensor, regime_NI: Tensor) -> Tensor:
        return widened(self.networks(x_NI, regime_NI)).squeeze(-1)
