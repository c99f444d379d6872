"""The sine in one pass on CUDA, as Triton kernels; Triton comes with torch's CUDA builds and is imported here only.

Under torch.compile nothing of this runs: Inductor fuses the pure-torch form with its neighbours by itself.
"""

# pyright: basic, reportMissingImports=false, reportIndexIssue=false, reportIncompatibleMethodOverride=false
# Triton's kernels are a language of their own that takes no annotations.

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from hotloop.kernels.reference import DECAY_MODES, FREQUENCY_FLOOR, SineBounds

_BLOCK = 1024


@triton.jit
def _forward(z_at, a_at, f_at, d_at, p_at, y_at, c_at, n, features, inner, MODE: tl.constexpr, BLOCK: tl.constexpr):  # noqa: ANN001, ANN202, PLR0913, PLR0917
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = place < n
    feature = (place // inner) % features
    z = tl.load(z_at + place, mask=there)
    size = tl.load(a_at + feature, mask=there)
    if MODE != 0:
        distance = tl.abs(z) if MODE == 1 else tl.where(z < 0, 0.0, z)
        size = size * tl.exp(-tl.load(d_at + feature, mask=there) * distance)
    angle = tl.load(f_at + feature, mask=there) * z + tl.load(p_at + feature, mask=there)
    tl.store(y_at + place, size * tl.sin(angle), mask=there)
    tl.store(c_at + place, size * tl.cos(angle), mask=there)


@triton.jit
def _backward(g_at, z_at, y_at, c_at, f_at, d_at, dz_at, n, features, inner, MODE: tl.constexpr, BLOCK: tl.constexpr):  # noqa: ANN001, ANN202, PLR0913, PLR0917
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = place < n
    feature = (place // inner) % features
    g = tl.load(g_at + place, mask=there)
    slope = tl.load(c_at + place, mask=there) * tl.load(f_at + feature, mask=there)
    if MODE != 0:
        z = tl.load(z_at + place, mask=there)
        below = -1.0 if MODE == 1 else 0.0
        direction = tl.where(z > 0, 1.0, tl.where(z < 0, below, 0.0))
        slope -= tl.load(d_at + feature, mask=there) * direction * tl.load(y_at + place, mask=there)
    tl.store(dz_at + place, g * slope, mask=there)


class _Wave(torch.autograd.Function):
    """y of (outer, features, inner) and positive parameters; they are reduced by torch's own sums."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, amp: Tensor, freq: Tensor, dec: Tensor, phase: Tensor, mode: int) -> Tensor:
        y, c = torch.empty_like(z), torch.empty_like(z)
        n = z.numel()
        if n:
            grid = (triton.cdiv(n, _BLOCK),)
            _forward[grid](z, amp, freq, dec, phase, y, c, n, z.shape[1], z.shape[2], MODE=mode, BLOCK=_BLOCK)
        ctx.save_for_backward(z, y, c, amp, freq, dec)
        ctx.mode = mode
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, y, c, amp, freq, dec = ctx.saved_tensors
        mode, n = ctx.mode, z.numel()
        g, dz = grad.contiguous(), torch.empty_like(z)
        if n:
            grid = (triton.cdiv(n, _BLOCK),)
            _backward[grid](g, z, y, c, freq, dec, dz, n, z.shape[1], z.shape[2], MODE=mode, BLOCK=_BLOCK)
        gy, gc = g * y, g * c
        distance = (torch.zeros_like, torch.abs, functional.relu)[mode](z)
        size = torch.where(amp == 0, torch.zeros_like(amp), gy.sum((0, 2)) / amp)
        return dz, size, (gc * z).sum((0, 2)), -(gy * distance).sum((0, 2)), gc.sum((0, 2)), None


def sine(
    z: Tensor,
    raw: tuple[Tensor, Tensor, Tensor],
    phase: Tensor | None,
    *,
    feature_dim: int,
    decay_mode: str,
    bounds: SineBounds | None,
) -> Tensor:
    """The sine of fp32 `z` on CUDA; a tensor that lies channels last comes out so."""
    amp, freq, dec = functional.softplus(torch.stack(raw)).unbind(0)
    freq = freq + FREQUENCY_FLOOR
    if bounds is not None:
        amp, freq, dec = (
            value.clamp(bounds[2 * role], bounds[2 * role + 1]) for role, value in enumerate((amp, freq, dec))
        )
    shift = torch.zeros_like(freq) if phase is None else phase
    last = z.movedim(feature_dim, -1)
    mode = DECAY_MODES.index(decay_mode)
    if last.is_contiguous():  # the features lie side by side
        rows = last.reshape(-1, last.shape[-1], 1)
        return _Wave.apply(rows, amp, freq, dec, shift, mode).view(last.shape).movedim(-1, feature_dim)
    dim = feature_dim % z.ndim
    outer = z.shape[:dim].numel()
    planes = z.contiguous().view(outer, z.shape[dim], z.shape[dim + 1 :].numel())
    return _Wave.apply(planes, amp, freq, dec, shift, mode).view(z.shape)
