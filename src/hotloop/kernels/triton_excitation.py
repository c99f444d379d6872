"""Squeeze and excitation on CUDA: the passes over the large tensors as Triton kernels, the small layers as torch's.

Triton comes with torch's CUDA builds and is imported here only.
"""

# pyright: basic, reportMissingImports=false, reportIndexIssue=false, reportIncompatibleMethodOverride=false
# ruff: noqa: ANN001, ANN202, PLR0913, PLR0917
# Triton's kernels are a language of their own that takes no annotations, and every pointer as an argument.

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

# A program holds one block of a sample: PLACES places of CHANNELS channels.
_CHANNELS = 32
_PLACES = 64


@triton.jit
def _offsets(channel, place, channels, places, IS_LAST: tl.constexpr):
    if IS_LAST:
        return place[None, :] * channels + channel[:, None]
    return channel[:, None] * places + place[None, :]


@triton.jit
def _sums(
    g_at,
    out_at,
    y_at,
    product_at,
    plain_at,
    channels,
    places,
    IS_LAST: tl.constexpr,
    MODE: tl.constexpr,
    C: tl.constexpr,
    P: tl.constexpr,
):
    """MODE 0: sums of y. MODE 1: sums of the passed gradient times y. MODE 2: of the passed gradient as well."""
    sample = tl.program_id(0).to(tl.int64) * channels * places
    channel = tl.program_id(1) * C + tl.arange(0, C)
    product = tl.zeros((C,), dtype=tl.float32)
    plain = tl.zeros((C,), dtype=tl.float32)
    for start in range(0, places, P):
        place = start + tl.arange(0, P)
        there = (channel[:, None] < channels) & (place[None, :] < places)
        at = sample + _offsets(channel, place, channels, places, IS_LAST)
        value = tl.load(y_at + at, mask=there, other=0.0).to(tl.float32)
        if MODE != 0:
            grad = tl.load(g_at + at, mask=there, other=0.0).to(tl.float32)
            out = tl.load(out_at + at, mask=there, other=0.0).to(tl.float32)
            grad = tl.where(out <= 0.0, 0.0, grad)
            value = value * grad
            plain += tl.sum(grad, 1)
        product += tl.sum(value, 1)
    row = tl.program_id(0) * channels + channel
    tl.store(product_at + row, product, mask=channel < channels)
    if MODE == 2:
        tl.store(plain_at + row, plain, mask=channel < channels)


@triton.jit
def _output(
    y_at,
    residual_at,
    scale_at,
    shift_at,
    out_at,
    channels,
    places,
    IS_LAST: tl.constexpr,
    HAS_SHIFT: tl.constexpr,
    C: tl.constexpr,
    P: tl.constexpr,
):
    sample = tl.program_id(0).to(tl.int64) * channels * places
    channel = tl.program_id(1) * C + tl.arange(0, C)
    place = tl.program_id(2) * P + tl.arange(0, P)
    there = (channel[:, None] < channels) & (place[None, :] < places)
    at = sample + _offsets(channel, place, channels, places, IS_LAST)
    row = tl.program_id(0) * channels + channel
    value = tl.load(y_at + at, mask=there, other=0.0).to(tl.float32)
    value = value * tl.load(scale_at + row, mask=channel < channels, other=0.0)[:, None]
    if HAS_SHIFT:
        value += tl.load(shift_at + row, mask=channel < channels, other=0.0)[:, None]
    value += tl.load(residual_at + at, mask=there, other=0.0).to(tl.float32)
    value = tl.where(value < 0.0, 0.0, value)  # NaN stays NaN
    tl.store(out_at + at, value.to(out_at.dtype.element_ty), mask=there)


@triton.jit
def _inputs(
    g_at,
    out_at,
    scale_at,
    means_at,
    dy_at,
    dresidual_at,
    channels,
    places,
    IS_LAST: tl.constexpr,
    C: tl.constexpr,
    P: tl.constexpr,
):
    sample = tl.program_id(0).to(tl.int64) * channels * places
    channel = tl.program_id(1) * C + tl.arange(0, C)
    place = tl.program_id(2) * P + tl.arange(0, P)
    there = (channel[:, None] < channels) & (place[None, :] < places)
    at = sample + _offsets(channel, place, channels, places, IS_LAST)
    row = tl.program_id(0) * channels + channel
    grad = tl.load(g_at + at, mask=there, other=0.0).to(tl.float32)
    out = tl.load(out_at + at, mask=there, other=0.0).to(tl.float32)
    grad = tl.where(out <= 0.0, 0.0, grad)
    scale = tl.load(scale_at + row, mask=channel < channels, other=0.0)
    mean = tl.load(means_at + row, mask=channel < channels, other=0.0)
    tl.store(dresidual_at + at, grad.to(dresidual_at.dtype.element_ty), mask=there)
    dy = grad * scale[:, None] + mean[:, None]
    tl.store(dy_at + at, dy.to(dy_at.dtype.element_ty), mask=there)


class _Sample:
    """Sizes and layout of the samples in a dense tensor, and the grids that cover them."""

    def __init__(self, y: Tensor) -> None:
        self.batch, self.channels = y.shape[:2]
        self.places = y.shape[2:].numel()
        self.is_last = not y.is_contiguous()
        self.rows = (self.batch, triton.cdiv(self.channels, _CHANNELS))
        self.blocks = (*self.rows, triton.cdiv(self.places, _PLACES))
        self.is_empty = y.numel() == 0


def forward(
    given: Tensor, residual: Tensor, squeeze: Tensor, squeeze_bias: Tensor, excite: Tensor, excite_bias: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the operator gives: the output, and the means, hidden units and gates that backward needs."""
    y = _dense(given)
    x = _strided_as(residual, y)
    size, out = _Sample(y), torch.empty_like(y)
    means = torch.empty((size.batch, size.channels), device=y.device)
    if not size.is_empty:
        _sums[size.rows](
            y, y, y, means, means, size.channels, size.places, IS_LAST=size.is_last, MODE=0, C=_CHANNELS, P=_PLACES
        )
    means = means / size.places
    hidden = functional.linear(means, squeeze, squeeze_bias).relu()
    outputs = functional.linear(hidden, excite, excite_bias)
    scale, shift = outputs[:, : size.channels].sigmoid(), outputs[:, size.channels :]
    has_shift = shift.shape[1] > 0
    if not size.is_empty:
        _output[size.blocks](
            y,
            x,
            scale,
            shift.contiguous() if has_shift else scale,
            out,
            size.channels,
            size.places,
            IS_LAST=size.is_last,
            HAS_SHIFT=has_shift,
            C=_CHANNELS,
            P=_PLACES,
        )
    return out, means, hidden, torch.cat((scale, shift), 1) if has_shift else scale


def backward(
    given_grad: Tensor,
    out: Tensor,
    given_y: Tensor,
    squeeze: Tensor,
    excite: Tensor,
    means: Tensor,
    hidden: Tensor,
    gates: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of y, the residual, and both layers' weights and biases."""
    grad, y, size = _strided_as(given_grad, out), _strided_as(given_y, out), _Sample(out)
    scale, has_shift = gates[:, : size.channels].contiguous(), gates.shape[1] > size.channels
    product, plain = torch.zeros_like(means), torch.zeros_like(means)
    if not size.is_empty:
        _sums[size.rows](
            grad,
            out,
            y,
            product,
            plain,
            size.channels,
            size.places,
            IS_LAST=size.is_last,
            MODE=2 if has_shift else 1,
            C=_CHANNELS,
            P=_PLACES,
        )
    product = product * scale * (1.0 - scale)
    dgates = torch.cat((product, plain), 1) if has_shift else product
    dhidden = torch.ops.aten.threshold_backward(dgates @ excite, hidden, 0)
    dmeans = (dhidden @ squeeze) / size.places
    dy, dresidual = torch.empty_like(out), torch.empty_like(out)
    if not size.is_empty:
        _inputs[size.blocks](
            grad,
            out,
            scale,
            dmeans,
            dy,
            dresidual,
            size.channels,
            size.places,
            IS_LAST=size.is_last,
            C=_CHANNELS,
            P=_PLACES,
        )
    return dy, dresidual, dhidden.t() @ means, dhidden.sum(0), dgates.t() @ hidden, dgates.sum(0)


def _dense(y: Tensor) -> Tensor:
    layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(y.ndim)
    is_last = layout is not None and y.is_contiguous(memory_format=layout)
    return y if is_last else y.contiguous()


def _strided_as(t: Tensor, model: Tensor) -> Tensor:
    return t if t.stride() == model.stride() else torch.empty_like(model).copy_(t)
