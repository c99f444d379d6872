"""The residual sine network with context, warm-up of frequencies and depth that grows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from hotloop.models._initial import draw_wave
from hotloop.models.rms_norm import RMSNorm
from hotloop.models.sine import SineParam

NORMS = ("none", "weight", "rms")
_BRANCH_EPS = 1e-6  # of the norm after the branch; the other networks use 1e-8


@dataclass(frozen=True, kw_only=True)
class WaveSchedule:
    """How w0 and depth move from epoch to epoch.

    w0 of the first and of the hidden layers goes linearly from its initial value to its target in `warmup_epochs`
    (0: it is at its target at once). Depth starts at `depth_initial` blocks (None: all) and grows by `depth_growth`
    every `depth_interval` epochs.
    """

    first_w0: float = 30.0
    hidden_w0: float = 1.0
    first_w0_initial: float = 10.0
    hidden_w0_initial: float = 0.5
    warmup_epochs: int = 10
    depth_initial: int | None = None
    depth_interval: int = 15
    depth_growth: int = 1

    def __post_init__(self) -> None:
        for role in ("first_w0", "hidden_w0", "first_w0_initial", "hidden_w0_initial"):
            if not getattr(self, role) > 0:
                raise ValueError(f"got {role}={getattr(self, role)}; a frequency must be above 0, for instance 1.0")
        for role in ("depth_interval", "depth_growth"):
            if getattr(self, role) < 1:
                raise ValueError(f"got {role}={getattr(self, role)}; it must be at least 1, for instance 1")
        if self.depth_initial is not None and self.depth_initial < 1:
            raise ValueError(f"got depth_initial={self.depth_initial}; it must be at least 1, or None for all blocks")
        if self.warmup_epochs < 0:
            raise ValueError(f"got warmup_epochs={self.warmup_epochs}; it must not be negative: give 0 for no warm-up")

    def w0(self, finished_epochs: int) -> tuple[float, float]:
        """w0 of the first and of the hidden layers after so many epochs."""
        share = 1.0 if self.warmup_epochs == 0 else min(finished_epochs / self.warmup_epochs, 1.0)
        first = self.first_w0_initial + (self.first_w0 - self.first_w0_initial) * share
        return first, self.hidden_w0_initial + (self.hidden_w0 - self.hidden_w0_initial) * share

    def depth(self, finished_epochs: int, blocks: int) -> int:
        """How many of `blocks` blocks are in use after so many epochs."""
        if self.depth_initial is None:
            return blocks
        return min(blocks, self.depth_initial + self.depth_growth * (finished_epochs // self.depth_interval))


class WaveBlock(nn.Module):
    """x + alpha * norm(out(FiLM(sine(w0 * into(x) + phase(c)), c))); phase and FiLM only where there is a context c."""

    def __init__(
        self,
        features: int,
        *,
        norm: str = "none",
        context_features: int | None = None,
        film: bool = True,
        phase_shift: bool = True,
        dropout: float = 0.0,
        alpha_init: float = 0.0,
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"got norm={norm!r}; choose one of {', '.join(NORMS)}")
        self.activation = SineParam(features, **(activation_options or {}))
        self.into, self.out = nn.Linear(features, features), nn.Linear(features, features)
        if norm == "weight":
            weight_norm(self.into)
            weight_norm(self.out)
        self.dropout = nn.Dropout(dropout)
        self.norm = RMSNorm(features, eps=_BRANCH_EPS) if norm == "rms" else nn.Identity()
        has_context = context_features is not None
        self.phase = nn.Linear(context_features, features) if has_context and phase_shift else None
        self.film = nn.Linear(context_features, 2 * features) if has_context and film else None
        self.alpha = nn.Parameter(torch.full((1,), alpha_init))

    def forward(self, x: Tensor, context: Tensor | None, w0: float) -> Tensor:
        h = self.into(x)
        if w0 != 1.0:
            h = w0 * h
        if self.phase is not None and context is not None:
            h = h + self.phase(context)
        h = self.activation(h)
        if self.film is not None and context is not None:
            scale, shift = self.film(context).chunk(2, dim=-1)
            h = scale * h + shift
        return x + self.alpha * self.dropout(self.norm(self.out(h)))


class WaveResNet(nn.Module):
    """Sine of a scaled linear layer, residual sine blocks, linear head; (N, in_features) -> (N, out_features).

    A context of shape (N, context_features) shifts phases and modulates features (FiLM, Perez et al. 2018,
    arXiv:1709.07871). The training loop calls `on_epoch` after each epoch: warm-up and depth follow the schedule. All
    blocks exist from the start, so that the set of parameters never changes; those not yet in use get no gradient.
    How far the schedule went is part of the state dict.
    """

    name: ClassVar[str] = "wave_residual"
    finished_epochs: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        hidden_layers: int = 6,
        hidden_units: int = 64,
        schedule: WaveSchedule | None = None,
        norm: str = "none",
        context_features: int | None = None,
        film: bool = True,
        phase_shift: bool = True,
        dropout: float = 0.0,
        residual_alpha_init: float = 0.0,
        activation_options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.schedule = schedule or WaveSchedule()
        if self.schedule.depth(0, hidden_layers) < (self.schedule.depth_initial or 0):
            raise ValueError(
                f"got depth_initial={self.schedule.depth_initial} for {hidden_layers} hidden layers; "
                "start with at most all of them"
            )
        self.context_features = context_features

        def block() -> WaveBlock:
            return WaveBlock(
                hidden_units,
                norm=norm,
                context_features=context_features,
                film=film,
                phase_shift=phase_shift,
                dropout=dropout,
                alpha_init=residual_alpha_init,
                activation_options=activation_options,
            )

        # Blocks that wait for their epoch are drawn last: the others then start as in a network without them.
        used = self.schedule.depth(0, hidden_layers)
        self.first = nn.Linear(in_features, hidden_units)
        self.activation = SineParam(hidden_units, **(activation_options or {}))
        self.blocks = nn.ModuleList([block() for _ in range(used)])
        self.head = nn.Linear(hidden_units, out_features)
        first_w0, hidden_w0 = self.schedule.first_w0_initial, self.schedule.hidden_w0_initial
        draw_wave(self, first_w0=first_w0, hidden_w0=hidden_w0)
        for _ in range(hidden_layers - used):
            self.blocks.append(block())
            draw_wave(self.blocks[-1], first_w0=hidden_w0, hidden_w0=hidden_w0)
        self.register_buffer("finished_epochs", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(_resume)
        self.first_w0, self.hidden_w0 = self.schedule.w0(0)
        self.depth = used

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """One output row for each row of `x`. Raises ValueError for a context in a network built without one."""
        if context is not None and self.context_features is None:
            raise ValueError("got a context, but the network was built without: build it with context_features")
        h = self.activation(self.first_w0 * self.first(x))
        for block in self.blocks[: self.depth]:
            h = block(h, context, self.hidden_w0)
        return self.head(h)

    def on_epoch(self, epoch: int) -> None:
        """Moves w0 and depth on after epoch `epoch` (the first is 0) has ended; calling it again changes nothing."""
        self.finished_epochs.fill_(epoch + 1)
        self.follow(epoch + 1)

    def follow(self, finished: int) -> None:
        """Puts w0 and depth where they are after `finished` epochs."""
        self.first_w0, self.hidden_w0 = self.schedule.w0(finished)
        self.depth = self.schedule.depth(finished, len(self.blocks))


def _resume(net: nn.Module, _: object) -> None:
    assert isinstance(net, WaveResNet)
    net.follow(int(net.finished_epochs))
