"""Adaptive normalisation over the steps of a window: rolling z-scores of several spans, then slices of time.

"Frequency" adaptive is its usual name; there is no Fourier transform in it. Backward of both is written out, with half
the operators that autograd would run; it cannot be differentiated again. N samples, L steps, H hidden units, W spans,
M = W * L rows of means, S slices.
"""

from typing import Any

import torch
from torch import Tensor, nn

from hotloop.models.panel import plain
from hotloop.models.panel.widened import widened
from hotloop.models.panel.written_out import written_out

_LEAST_VARIANCE = 1e-8  # a deviation of 1e-4


class RollingNormalization(nn.Module):
    """z-scores over the last `spans` steps, mixed by a softmax for each unit; (N, L, H) -> (N, L, H).

    Before the window its first step is repeated. Acts on real steps: L copies of one step would give zeros. Means of
    all spans are one product with a (W * L, L) matrix. Takes N x W x L x H numbers.
    """

    means: Tensor
    distances: Tensor

    def __init__(self, hidden: int, *, length: int, spans: tuple[int, ...] = (5, 10, 20)) -> None:
        super().__init__()
        self.spans = spans
        self.mixing = nn.Parameter(torch.zeros(len(spans), 1, hidden))
        means_ML = _trailing_means(length, spans)
        self.register_buffer("means", means_ML, persistent=False)
        self.register_buffer("distances", torch.eye(length).repeat(len(spans), 1) - means_ML, persistent=False)

    def forward(self, x_NLH: Tensor) -> Tensor:
        return self.beside(x_NLH)[0]

    def beside(self, x_NLH: Tensor) -> tuple[Tensor, Tensor]:
        """The scores, and x itself for whoever else needs it: backward adds both gradients up within one product."""
        if torch.compiler.is_compiling():
            return plain.rolling(x_NLH, self.mixing.softmax(0), self.means, _LEAST_VARIANCE), x_NLH
        return _Rolling.apply(x_NLH, self.mixing.softmax(0), self.means, self.distances)


class _Rolling(torch.autograd.Function):
    """Mixed z-scores; the mean of the window is a constant, of which they do not depend."""

    @staticmethod
    def forward(
        ctx: Any, x_NLH: Tensor, shares_W1H: Tensor, means_ML: Tensor, distances_ML: Tensor
    ) -> tuple[Tensor, Tensor]:
        both_NLH = x_NLH.new_empty(*x_NLH.shape[:2], 2 * x_NLH.shape[2])
        own_NLH, squares_NLH = both_NLH.chunk(2, dim=-1)
        # Squares of what is left of the window's own mean: those of the values themselves would cancel.
        torch.sub(x_NLH, x_NLH.mean(1, keepdim=True), out=own_NLH)
        torch.mul(own_NLH, own_NLH, out=squares_NLH)
        mean_NWLH, square_NWLH = (means_ML @ both_NLH).unflatten(1, (len(shares_W1H), -1)).chunk(2, dim=-1)
        variance_NWLH = torch.addcmul(square_NWLH, mean_NWLH, mean_NWLH, value=-1.0).clamp_(min=_LEAST_VARIANCE)
        rate_NWLH = variance_NWLH.rsqrt()
        scores_NWLH = (own_NLH.unsqueeze(1) - mean_NWLH).mul_(rate_NWLH)
        ctx.save_for_backward(
            *(own_NLH, shares_W1H, means_ML, distances_ML, mean_NWLH, variance_NWLH, rate_NWLH, scores_NWLH)
        )
        return (scores_NWLH * shares_W1H).sum(1), x_NLH.view_as(x_NLH)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        own_NLH, shares_W1H, means_ML, distances_ML, *kept = ctx.saved_tensors
        mean_NWLH, variance_NWLH, rate_NWLH, scores_NWLH = kept
        grad_N1LH, num = grads[0].unsqueeze(1), len(own_NLH)
        shares_grad_W1H = (grad_N1LH * scores_NWLH).sum((0, 2)).unsqueeze(1)
        # Through the distance from the mean, and through the variance, which is clamped from below.
        apart_NWLH = (grad_N1LH * shares_W1H).mul_(rate_NWLH)
        spread_NWLH = (apart_NWLH * scores_NWLH).mul_(rate_NWLH)
        spread_NWLH = torch.ops.aten.threshold_backward(spread_NWLH, variance_NWLH, _LEAST_VARIANCE)
        x_grad_NLH = torch.baddbmm(grads[1], distances_ML.t().expand(num, -1, -1), apart_NWLH.flatten(1, 2))
        means_NLM, spread_NMH = means_ML.t().expand(num, -1, -1), spread_NWLH.flatten(1, 2)
        x_grad_NLH.addcmul_(own_NLH, means_NLM @ spread_NMH, value=-1.0)
        x_grad_NLH.baddbmm_(means_NLM, spread_NWLH.mul_(mean_NWLH).flatten(1, 2))
        return x_grad_NLH, shares_grad_W1H, None, None


class SliceNormalization(nn.Module):
    """z-scores within three slices of time that overlap by half, an affine map for each, averaged where they overlap.

    (N, L, H) -> (N, L, H); `beside_NLH` is added to them. Means and deviations are those of one sample and carry no
    gradient: statistics over the batch would let a day see others.
    """

    members: Tensor
    shares: Tensor

    def __init__(self, hidden: int, *, length: int, slices: int = 3) -> None:
        super().__init__()
        members_SL = _members(length, slices)
        self.register_buffer("members", members_SL / members_SL.sum(1, keepdim=True), persistent=False)
        self.register_buffer("shares", (members_SL / members_SL.sum(0)).t().contiguous(), persistent=False)
        self.weight = nn.Parameter(torch.ones(slices, hidden))
        self.bias = nn.Parameter(torch.zeros(slices, hidden))

    def forward(self, x_NLH: Tensor, beside_NLH: Tensor | None = None) -> Tensor:
        if torch.compiler.is_compiling():
            found_NLH = plain.slices(x_NLH, (self.weight, self.bias), self.members, self.shares, _LEAST_VARIANCE)
            return found_NLH if beside_NLH is None else beside_NLH + found_NLH
        beside_NLH = x_NLH.new_zeros(()).expand_as(x_NLH) if beside_NLH is None else beside_NLH
        return _Slices.apply(x_NLH, beside_NLH, self.weight, self.bias, self.members, self.shares)


class _Slices(torch.autograd.Function):
    """The sum over slices of c (w (x - m) / d + b), which is linear in x, and what stands beside it."""

    @staticmethod
    def forward(
        ctx: Any,
        x_NLH: Tensor,
        beside_NLH: Tensor,
        weight_SH: Tensor,
        bias_SH: Tensor,
        members_SL: Tensor,
        shares_LS: Tensor,
    ) -> Tensor:
        mean_NSH = members_SL @ x_NLH
        square_NSH = members_SL @ x_NLH.square()
        rate_NSH = torch.addcmul(square_NSH, mean_NSH, mean_NSH, value=-1.0).clamp_(min=_LEAST_VARIANCE).rsqrt_()
        slope_NSH = weight_SH * rate_NSH
        offset_NSH = torch.addcmul(bias_SH, slope_NSH, mean_NSH, value=-1.0)
        slope_NLH = shares_LS @ slope_NSH
        offset_NLH = torch.baddbmm(beside_NLH, shares_LS.expand(len(x_NLH), -1, -1), offset_NSH)
        ctx.save_for_backward(x_NLH, shares_LS, mean_NSH, rate_NSH, slope_NLH)
        return offset_NLH.addcmul_(slope_NLH, x_NLH)

    @staticmethod
    @written_out
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x_NLH, shares_LS, mean_NSH, rate_NSH, slope_NLH = ctx.saved_tensors
        (grad_NLH,) = grads
        offset_NSH = shares_LS.t() @ grad_NLH
        slope_NSH = (shares_LS.t() @ (grad_NLH * x_NLH)).addcmul_(offset_NSH, mean_NSH, value=-1.0)
        weight_grad_SH, bias_grad_SH = slope_NSH.mul_(rate_NSH).sum(0), offset_NSH.sum(0)
        return grad_NLH * slope_NLH, grad_NLH, weight_grad_SH, bias_grad_SH, None, None


class AdaptiveNormalization(nn.Module):
    """x + slices(rolling(x)), never in half precision; (N, L, H) -> (N, L, H)."""

    def __init__(self, hidden: int, *, length: int, spans: tuple[int, ...] = (5, 10, 20), slices: int = 3) -> None:
        super().__init__()
        self.rolling = RollingNormalization(hidden, length=length, spans=spans)
        self.slices = SliceNormalization(hidden, length=length, slices=slices)

    def forward(self, x_NLH: Tensor) -> Tensor:
        with torch.autocast(x_NLH.device.type, enabled=False):
            return self.slices(*self.rolling.beside(widened(x_NLH)))


def _members(length: int, slices: int) -> Tensor:
    """Which steps belong to which slice, (S, L): as long as all of them, half overlapping, span the window."""
    size = min(length, -(-2 * length // (slices + 1)))
    members_SL = torch.zeros(slices, length)
    for number in range(slices):
        start = round(number * (length - size) / max(1, slices - 1))
        members_SL[number, start : start + size] = 1.0
    return members_SL


def _trailing_means(length: int, spans: tuple[int, ...]) -> Tensor:
    """(W * L, L): row (w, l) means the last `spans[w]` steps up to l; the first one stands for those before it."""
    step_L1, other_L = torch.arange(length).unsqueeze(1), torch.arange(length)
    rows: list[Tensor] = []
    for span in spans:
        inside_LL = ((other_L <= step_L1) & (other_L > step_L1 - span)).float()
        inside_LL[:, 0] += (span - 1 - torch.arange(length)).clamp(min=0)
        rows.append(inside_LL / span)
    return torch.cat(rows)
