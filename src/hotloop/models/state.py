"""The persistent gain of a stateful layer."""

import math
import warnings
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class StateConfig:
    """How a state moves: decay `rho` in [0, 1), drive `beta` >= 0, start `init`, soft bound `max_abs` > 0.

    `detach` cuts the staged state from the graph of the forward that staged it.
    """

    rho: float = 0.95
    beta: float = 1.0
    init: float = 1.0
    max_abs: float = 5.0
    detach: bool = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.rho < 1.0:
            raise ValueError(f"got rho={self.rho}; it must be at least 0 and below 1, for instance 0.95")
        if not self.beta >= 0.0:
            raise ValueError(f"got beta={self.beta}; it must not be negative, for instance 1.0")
        if not math.isfinite(self.init):
            raise ValueError(f"got init={self.init}; it must be a finite number, for instance 1.0")
        if not self.max_abs > 0.0:
            raise ValueError(f"got max_abs={self.max_abs}; it must be above 0, for instance 5.0")


class StateController(nn.Module):
    """A gain for each feature that multiplies activations and follows their size.

    A forward multiplies by the state and stages, while `is_staging`, the next one:
    max_abs * tanh((rho * s + (1 - rho) * beta * mean|y * s|) / max_abs), the mean over all other dimensions. Only
    `commit` makes a staged state the state. Nothing is read from the device but in `check`.
    """

    name: ClassVar[str] = "state"
    state: Tensor

    def __init__(self, features: int, config: StateConfig | None = None, *, feature_dim: int = -1) -> None:
        super().__init__()
        self.config = config or StateConfig()
        self.feature_dim, self.is_staging = feature_dim, True
        self.register_buffer("state", torch.full((features,), self.config.init))
        self.staged: Tensor | None = None

    def forward(self, y: Tensor) -> Tensor:
        """`y` times the state; stages the next state in train mode."""
        shape = [1] * y.ndim
        shape[self.feature_dim] = -1
        # A copy: commit may write into the state before backward has read what forward multiplied by.
        scaled = y * self.state.clone().view(shape)
        if self.training and self.is_staging:
            self.staged = self._next(scaled)
        return scaled

    def _next(self, scaled: Tensor) -> Tensor:
        config, feature = self.config, self.feature_dim % scaled.ndim
        source = scaled.detach() if config.detach else scaled
        others = [dim for dim in range(scaled.ndim) if dim != feature]
        size = source.abs().mean(dim=others) if others else source.abs()
        moved = config.rho * self.state + (1.0 - config.rho) * config.beta * size
        return config.max_abs * torch.tanh(moved / config.max_abs)

    @torch.no_grad()
    def commit(self) -> None:
        """Makes the staged state the state; without one, changes nothing."""
        if self.staged is not None:
            self.state.copy_(self.staged)
            self.staged = None

    @torch.no_grad()
    def reset(self, value: float = 1.0) -> None:
        """Sets every gain to `value` and forgets what was staged."""
        self.state.fill_(value)
        self.staged = None

    @torch.no_grad()
    def check(self) -> None:
        """Warns where the state is about to saturate or to vanish. Reads from the device: call it once an epoch."""
        sizes = self.state.abs()
        largest, mean = (float(value) for value in torch.stack((sizes.max(), sizes.mean())).tolist())
        if largest >= 0.98 * self.config.max_abs:
            warnings.warn(
                f"a state of {largest:.3g} is within 2 % of max_abs={self.config.max_abs}; lower beta or raise rho",
                RuntimeWarning,
                stacklevel=2,
            )
        if mean <= 1e-3:
            warnings.warn(
                f"the mean state fell to {mean:.3g}, so the layer is all but off; raise beta or init",
                RuntimeWarning,
                stacklevel=2,
            )

    def extra_repr(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in asdict(self.config).items())


class Stateful(nn.Module):
    """A network that may hold StateControllers; does nothing where it holds none."""

    def reset_state(self) -> None:
        """Sets every state to 1 and forgets what was staged."""
        for controller in self.controllers():
            controller.reset()

    def commit_state_updates(self) -> None:
        """Makes every staged state the state."""
        for controller in self.controllers():
            controller.commit()

    def set_state_updates(self, enabled: bool) -> None:
        """Whether forwards in train mode stage a next state at all."""
        for controller in self.controllers():
            controller.is_staging = enabled
            if not enabled:
                controller.staged = None

    def controllers(self) -> list[StateController]:
        """All state controllers inside, in order."""
        return [module for module in self.modules() if isinstance(module, StateController)]
