"""Adaptive normalisation over the steps of a window: rolling z-scores of several spans, then slices of time.

"Frequency" adaptive is its usual name; there is no Fourier transform in it. N samples, L steps, H hidden units,
W spans, S slices.
"""

import torch
from torch import Tensor, nn

_LEAST_VARIANCE = 1e-8  # a deviation of 1e-4


class RollingNormalization(nn.Module):
    """z-scores over the last `spans` steps, mixed by a softmax for each unit; (N, L, H) -> (N, L, H).

    Before the window its first step is repeated. Acts on real steps: L copies of one step would give zeros. Means of
    all spans are one product with a (W * L, L) matrix. Takes N x W x L x H numbers.
    """

    means: Tensor

    def __init__(self, hidden: int, *, length: int, spans: tuple[int, ...] = (5, 10, 20)) -> None:
        super().__init__()
        self.spans = spans
        self.mixing = nn.Parameter(torch.zeros(len(spans), 1, hidden))
        self.register_buffer("means", _trailing_means(length, spans), persistent=False)

    def forward(self, x_NLH: Tensor) -> Tensor:
        # Squares of what is left of the window's own mean: those of the values themselves would cancel.
        x_NLH = x_NLH - x_NLH.detach().mean(1, keepdim=True)
        both_NLH = torch.cat([x_NLH, x_NLH.square()], dim=-1)
        mean_NWLH, square_NWLH = (self.means @ both_NLH).unflatten(1, (len(self.spans), -1)).chunk(2, dim=-1)
        variance_NWLH = (square_NWLH - mean_NWLH.square()).clamp(min=_LEAST_VARIANCE)
        scores_NWLH = (x_NLH.unsqueeze(1) - mean_NWLH) * variance_NWLH.rsqrt()
        return (scores_NWLH * self.mixing.softmax(0)).sum(1)


class SliceNormalization(nn.Module):
    """z-scores within three slices of time that overlap by half, an affine map for each, averaged where they overlap.

    (N, L, H) -> (N, L, H). Means and deviations are those of one sample and carry no gradient: statistics over the
    batch would let a day see others.
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

    def forward(self, x_NLH: Tensor) -> Tensor:
        with torch.no_grad():
            mean_NSH = self.members @ x_NLH
            square_NSH = self.members @ x_NLH.square()
            spread_NSH = (square_NSH - mean_NSH.square()).clamp(min=_LEAST_VARIANCE).rsqrt()
        # sum_s c_s (w_s (x - m_s) / d_s + b_s) is linear in x.
        slope_NSH = self.weight * spread_NSH
        offset_NSH = self.bias - slope_NSH * mean_NSH
        offset_NLH, slope_NLH = (self.shares @ torch.cat([offset_NSH, slope_NSH], dim=-1)).chunk(2, dim=-1)
        return offset_NLH + slope_NLH * x_NLH


class AdaptiveNormalization(nn.Module):
    """x + slices(rolling(x)) in float32; (N, L, H) -> (N, L, H)."""

    def __init__(self, hidden: int, *, length: int, spans: tuple[int, ...] = (5, 10, 20), slices: int = 3) -> None:
        super().__init__()
        self.rolling = RollingNormalization(hidden, length=length, spans=spans)
        self.slices = SliceNormalization(hidden, length=length, slices=slices)

    def forward(self, x_NLH: Tensor) -> Tensor:
        with torch.autocast(x_NLH.device.type, enabled=False):
            x_NLH = x_NLH.float()
            return x_NLH + self.slices(self.rolling(x_NLH))


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
