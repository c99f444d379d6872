"""The compiled operators hotloop::*, and the shapes they have for tracers."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hotloop.kernels.build import BuildError


def load_operators(library: Path) -> None:
    """Loads `library` and registers what torch.compile must know. Raises BuildError where it cannot be loaded."""
    try:
        torch.ops.load_library(str(library))
    except OSError as error:
        raise BuildError(f"{library} cannot be loaded: {error}; delete it, so that it is built again") from error
    for name, shapes in _FAKES.items():
        torch.library.register_fake(f"hotloop::{name}", shapes)


def _sine_forward(
    z: Tensor, amplitude: Tensor, frequency: Tensor, decay: Tensor, phase: Tensor | None, feature_dim: int, *_: Any
) -> tuple[Tensor, Tensor]:
    return _dense_like(z, feature_dim), _dense_like(z, feature_dim)


def _sine_backward(
    grad: Tensor, z: Tensor, y: Tensor, c: Tensor, amplitude: Tensor, frequency: Tensor, decay: Tensor, *_: Any
) -> tuple[Tensor, ...]:
    return (torch.empty_like(y), *(torch.empty_like(amplitude) for _ in range(4)))


def _rms_norm_forward(x: Tensor, weight: Tensor, feature_dim: int, eps: float) -> tuple[Tensor, Tensor]:
    sizes = [size for dim, size in enumerate(x.shape) if dim != feature_dim]
    return _dense_like(x, feature_dim), x.new_empty(sizes)


def _rms_norm_backward(
    grad: Tensor, x: Tensor, weight: Tensor, inverse: Tensor, feature_dim: int
) -> tuple[Tensor, Tensor]:
    return _dense_like(x, feature_dim), torch.empty_like(weight)


def _dense_like(x: Tensor, feature_dim: int) -> Tensor:
    """An empty tensor laid out as the compiled kernel lays out its output."""
    if x.is_contiguous():
        return torch.empty_like(x)
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    layout = layouts.get(x.ndim) if feature_dim == 1 else None
    if layout is not None and x.is_contiguous(memory_format=layout):
        return torch.empty_like(x)
    return torch.empty_like(x, memory_format=torch.contiguous_format)


_FAKES = {
    "sine_forward": _sine_forward,
    "sine_backward": _sine_backward,
    "rms_norm_forward": _rms_norm_forward,
    "rms_norm_backward": _rms_norm_backward,
}
