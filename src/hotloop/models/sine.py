"""The parameterised sine activation."""

import math
from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from hotloop import kernels
from hotloop.kernels.reference import DECAY_MODES, SineBounds

ROLES = ("amplitude", "frequency", "decay")
Init = float | Tensor
Range = tuple[float | None, float | None]


class SineParam(nn.Module):
    """y = A * exp(-d * g(z)) * sin(f * z + phase) with one A, f, d (and phase) for each feature.

    A, f and d are kept raw and made positive by softplus; g is |z| ("abs"), relu(z) ("relu") or 0 ("none"). `learnable`
    is "all", "none", one role or several of amplitude, frequency, decay; the others stay at their initial value.
    `bounds` clamps a role after softplus; outside, its gradient is zero. `phase_init` adds a phase (None: there is
    none), learnt where `phase_learnable`. `feature_dim` is -1 for dense layers and 1 for convolutions.
    """

    name: ClassVar[str] = "sine"
    amplitude: nn.Parameter
    frequency: nn.Parameter
    decay: nn.Parameter
    phase: nn.Parameter | None

    def __init__(
        self,
        features: int,
        *,
        amplitude_init: Init = 1.0,
        frequency_init: Init = 1.0,
        decay_init: Init = 0.1,
        learnable: str | Collection[str] = "all",
        decay_mode: str = "abs",
        bounds: Mapping[str, Range] | None = None,
        feature_dim: int = -1,
        phase_init: float | None = None,
        phase_learnable: bool = True,
    ) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"got features={features}; a layer has at least 1: give the width of what comes in")
        if decay_mode not in DECAY_MODES:
            raise ValueError(f"got decay_mode={decay_mode!r}; choose one of {', '.join(sorted(DECAY_MODES))}")
        self.features, self.feature_dim, self.decay_mode = features, feature_dim, decay_mode
        self.learnable = chosen_roles(learnable)
        self.bounds = _packed(bounds or {})
        for role, init in zip(ROLES, (amplitude_init, frequency_init, decay_init), strict=True):
            raw = inverse_softplus(positive_vector(init, features, role))
            setattr(self, role, nn.Parameter(raw, requires_grad=role in self.learnable))
        phase = None if phase_init is None else nn.Parameter(torch.full((features,), phase_init), phase_learnable)
        self.register_parameter("phase", phase)

    def forward(self, z: Tensor) -> Tensor:
        return kernels.sine(
            z,
            self.amplitude,
            self.frequency,
            self.decay,
            phase=self.phase,
            feature_dim=self.feature_dim,
            decay_mode=self.decay_mode,
            bounds=self.bounds,
        )

    def extra_repr(self) -> str:
        return f"{self.features}, decay_mode={self.decay_mode!r}, feature_dim={self.feature_dim}"


def chosen_roles(learnable: str | Collection[str]) -> frozenset[str]:
    """The roles that `learnable` names. Raises ValueError for a word that is none."""
    given = (learnable,) if isinstance(learnable, str) else tuple(learnable)
    words = [word.strip().lower() for word in given]
    if any(word in ("all", "*") for word in words):
        return frozenset(ROLES)
    named = frozenset(word for word in words if word not in ("", "none"))
    if not named <= set(ROLES):
        raise ValueError(f"got learnable={learnable!r}; choose from {', '.join(ROLES)}, or 'all', or 'none'")
    return named


def positive_vector(init: Init, features: int, role: str) -> Tensor:
    """`init` as fp32 vector of `features` positive values, on the CPU. Raises ValueError for another length."""
    value = torch.as_tensor(init, dtype=torch.float32).detach().cpu().flatten()
    if value.numel() not in (1, features):
        raise ValueError(
            f"got {value.numel()} values for {role}_init; give one, or one for each of {features} features"
        )
    return value.expand(features).clamp_min(torch.finfo(torch.float32).eps).clone()


def inverse_softplus(value: Tensor) -> Tensor:
    """The raw parameter whose softplus is `value`: log(expm1(value)), kept finite."""
    return torch.log(torch.expm1(value).clamp_min(torch.finfo(value.dtype).eps))


def _packed(bounds: Mapping[str, Range]) -> SineBounds | None:
    unknown = set(bounds) - set(ROLES)
    if unknown:
        raise ValueError(f"got bounds for {', '.join(sorted(unknown))}; bounds can be given for {', '.join(ROLES)}")
    pairs = [bounds.get(role, (None, None)) for role in ROLES]
    if all(low is None and high is None for low, high in pairs):
        return None
    ends = [
        (-math.inf if low is None else float(low), math.inf if high is None else float(high)) for low, high in pairs
    ]
    for role, (low, high) in zip(ROLES, ends, strict=True):
        if not low <= high:
            raise ValueError(
                f"got bounds {low} to {high} for {role}; the first must not be above the second: swap them"
            )
    return (*ends[0], *ends[1], *ends[2])
