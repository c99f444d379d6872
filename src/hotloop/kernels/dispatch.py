"""The kernels as functions: each call goes to the fastest implementation that can take it.

fp32 on the CPU goes to compiled C++ (see `status`), the sine of fp32 on CUDA to Triton where that is installed,
everything else (other dtypes, autocast, no compiler, CUDA under torch.compile) to pure torch. All agree within
rounding; compiled kernels refuse second derivatives, for which `prefer("torch")` is there.
"""

from importlib.util import find_spec

import torch
from torch import Tensor

from hotloop.kernels import reference
from hotloop.kernels.reference import DECAY_MODES, SineBounds
from hotloop.kernels.selection import allows_compiled, is_native


def sine(
    z: Tensor,
    amplitude: Tensor,
    frequency: Tensor,
    decay: Tensor,
    *,
    phase: Tensor | None = None,
    feature_dim: int = -1,
    decay_mode: str = "abs",
    bounds: SineBounds | None = None,
) -> Tensor:
    """A * exp(-d * g(z)) * sin(f * z + phase), shaped as `z`.

    `amplitude`, `frequency`, `decay` are raw: softplus makes them positive (1e-6 is added to f), then `bounds` (least
    and largest A, f, d) clamps them. One value each for the features along `feature_dim`. `decay_mode` is g: "abs",
    "relu" or "none". NaN and infinity give NaN as in pure torch.
    """
    if _is_for_cpu(z, amplitude):
        return torch.ops.hotloop.sine(
            z,
            amplitude,
            frequency,
            decay,
            phase,
            feature_dim % z.ndim,
            DECAY_MODES.index(decay_mode),
            bounds or (),
        )
    if z.is_cuda and _runs_triton(z, amplitude):
        from hotloop.kernels import triton_sine

        raw = (amplitude, frequency, decay)
        return triton_sine.sine(z, raw, phase, feature_dim=feature_dim, decay_mode=decay_mode, bounds=bounds)
    return reference.sine(
        z, amplitude, frequency, decay, phase, feature_dim=feature_dim, decay_mode=decay_mode, bounds=bounds
    )


def rms_norm(x: Tensor, weight: Tensor, *, feature_dim: int = -1, eps: float = 1e-8) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight, the mean taken over `feature_dim`, shaped as `x`."""
    if _is_for_cpu(x, weight):
        return torch.ops.hotloop.rms_norm(x, weight, feature_dim % x.ndim, eps)
    return reference.rms_norm(x, weight, feature_dim=feature_dim, eps=eps)


def _runs_triton(z: Tensor, parameter: Tensor) -> bool:
    is_fp32 = z.dtype is torch.float32 and parameter.dtype is torch.float32
    return is_fp32 and not torch.compiler.is_compiling() and allows_compiled() and find_spec("triton") is not None


def _is_for_cpu(x: Tensor, parameter: Tensor) -> bool:
    return x.is_cpu and x.dtype is torch.float32 and parameter.dtype is torch.float32 and x.ndim > 0 and is_native()
