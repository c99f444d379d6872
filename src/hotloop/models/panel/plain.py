"""The blocks in plain operators, for compilers, which fuse and differentiate them better by themselves.

What is written out has their outputs and gradients; tests compare both.
R rows, F features, H hidden units, N samples, J neighbours, K heads, W spans, L steps, S slices, Q quantiles.
"""

import torch
from torch import Tensor
from torch.nn import functional


def gated_mix(
    parts: list[Tensor], kept: Tensor | None, second: tuple[Tensor, Tensor], outputs: tuple[Tensor, Tensor]
) -> Tensor:
    """g h + (1 - g) skip from `parts`: W1 x, V1 x and the skip, for one block (R, ...) or many (F, R, ...)."""
    first, gate, skip = parts
    (third, gates), (third_bias, gates_bias) = ((pair[0], pair[1]) for pair in map(_halves, outputs))
    h = functional.elu(functional.elu(first) @ second[0] + second[1]) @ third + third_bias
    h = h if kept is None else h * kept
    return torch.lerp(skip, h, (gate.relu() @ gates + gates_bias).sigmoid())


def _halves(pair: Tensor) -> tuple[Tensor, Tensor]:
    """Of two blocks themselves, of 2 F the first and the last F."""
    if len(pair) == 2:
        return pair[0], pair[1]
    half = len(pair) // 2
    return pair[:half], pair[half:]


def rolling(x_NLH: Tensor, shares_W1H: Tensor, means_ML: Tensor, least_variance: float) -> Tensor:
    """Mixed z-scores over trailing spans."""
    x_NLH = x_NLH - x_NLH.detach().mean(1, keepdim=True)
    both_NLH = torch.cat([x_NLH, x_NLH.square()], dim=-1)
    mean_NWLH, square_NWLH = (means_ML @ both_NLH).unflatten(1, (len(shares_W1H), -1)).chunk(2, dim=-1)
    variance_NWLH = (square_NWLH - mean_NWLH.square()).clamp(min=least_variance)
    return ((x_NLH.unsqueeze(1) - mean_NWLH) * variance_NWLH.rsqrt() * shares_W1H).sum(1)


def slices(
    x_NLH: Tensor, affine: tuple[Tensor, Tensor], members_SL: Tensor, shares_LS: Tensor, least_variance: float
) -> Tensor:
    """z-scores of slices of time, averaged where they overlap."""
    with torch.no_grad():
        mean_NSH = members_SL @ x_NLH
        rate_NSH = (members_SL @ x_NLH.square() - mean_NSH.square()).clamp(min=least_variance).rsqrt()
    slope_NSH = affine[0] * rate_NSH
    offset_NSH = affine[1] - slope_NSH * mean_NSH
    return shares_LS @ offset_NSH + (shares_LS @ slope_NSH) * x_NLH


def attention(
    parts_NKC: tuple[Tensor, Tensor],
    source_NJ: Tensor,
    edge_NJKC: Tensor,
    mask_NJ: Tensor,
    attention_1KC: Tensor,
    slope: float,
) -> Tensor:
    """What each node hears by each head, (N, K, C), from what is said to others and what is asked of them."""
    said_NJKC = parts_NKC[0][source_NJ]
    joined_NJKC = said_NJKC + (edge_NJKC + parts_NKC[1].unsqueeze(1))
    scores_NJK = (functional.leaky_relu(joined_NJKC, slope) * attention_1KC).sum(-1)
    is_there_NJ1 = (mask_NJ == 0.0).unsqueeze(-1)
    shares_NJK = scores_NJK.masked_fill(~is_there_NJ1, torch.finfo(scores_NJK.dtype).min).softmax(1) * is_there_NJ1
    return (said_NJKC * shares_NJK.unsqueeze(-1)).sum(1)


def fusion(
    own_NH: Tensor, heard_NH: Tensor, weights: tuple[Tensor, Tensor], rate: float, least_length: float
) -> Tensor:
    """own + gate scaled."""
    length_N1, heard_N1 = (x.norm(dim=1, keepdim=True).clamp(min=least_length) for x in (own_NH, heard_NH))
    scaled_NH = heard_NH * (length_N1 / heard_N1)
    gate_NH = (functional.linear(torch.cat([own_NH, scaled_NH], dim=1), *weights) * rate).sigmoid()
    return own_NH + gate_NH * scaled_NH


def ascending(raw_NHQ: Tensor, log_scale_H1: Tensor, steps_QQ: Tensor) -> Tensor:
    """Quantiles from the median and steps away from it."""
    middle = len(steps_QQ) // 2
    return (raw_NHQ[..., middle : middle + 1] + functional.softplus(raw_NHQ) @ steps_QQ) * log_scale_H1.exp()
