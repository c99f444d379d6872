"""Dense actor-critic for vectors of observations, with discrete or continuous actions."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.models.policy.distribution import DiagonalGaussian, MaskedCategorical
from hotloop.option import AtLeast

_ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


@dataclass(frozen=True, kw_only=True)
class MlpConfig:
    """Either `num_actions` (discrete) or `action_size` (dimensions of a continuous action) is above 0.

    `log_std` is where the standard deviations of continuous actions begin.
    """

    observation_size: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(0)] = 0
    action_size: Annotated[int, AtLeast(0)] = 0
    hidden_layers: Annotated[int, AtLeast(1)] = 2
    hidden_units: Annotated[int, AtLeast(1)] = 64
    activation: Literal["tanh", "relu"] = "tanh"
    log_std: float = 0.0

    def __post_init__(self) -> None:
        if (self.num_actions > 0) == (self.action_size > 0):
            raise ValueError(
                f"got num_actions={self.num_actions} and action_size={self.action_size}; exactly one is above 0: give "
                "num_actions for discrete actions, action_size for continuous ones"
            )


class Mlp(ActorCritic):
    """Two separate dense networks; (B, *observation) -> logits (B, A), or means and log deviations (B, 2 D); (B,).

    Weights are drawn orthogonal, with gain sqrt(2), 0.01 for the policy head and 1 for the value head, and biases are
    zero. Source: Andrychowicz et al. 2021, arXiv:2006.05990, section 3.2.
    """

    name: ClassVar[str] = "mlp"
    Config: ClassVar = MlpConfig

    def __init__(self, config: MlpConfig) -> None:
        super().__init__(MaskedCategorical() if config.num_actions else DiagonalGaussian())
        self.config = config
        self.policy = _dense(config, config.num_actions or config.action_size, head_gain=0.01)
        self.value = _dense(config, 1, head_gain=1.0)
        self.log_std = (
            nn.Parameter(torch.full((config.action_size,), float(config.log_std))) if config.action_size else None
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = x.flatten(1)
        outputs, value = self.policy(rows), self.value(rows).squeeze(1)
        if self.log_std is not None:
            outputs = torch.cat([outputs, self.log_std.expand_as(outputs).to(outputs.dtype)], dim=1)
        return outputs, value


def _dense(config: MlpConfig, out_features: int, *, head_gain: float) -> nn.Sequential:
    widths = [config.observation_size, *[config.hidden_units] * config.hidden_layers]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [_orthogonal(before, after, math.sqrt(2.0)), _ACTIVATIONS[config.activation]()]
    return nn.Sequential(*layers, _orthogonal(widths[-1], out_features, head_gain))


def _orthogonal(in_features: int, out_features: int, gain: float) -> nn.Linear:
    layer = nn.Linear(in_features, out_features)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
