"""The simplest network over a board: one convolution, two linear heads."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.option import AtLeast


@dataclass(frozen=True, kw_only=True)
class SimpleCnnConfig:
    """`channels` of the one convolution."""

    input_channels: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(2)]
    channels: Annotated[int, AtLeast(1)] = 16


class SimpleCnn(ActorCritic):
    """(B, C, 9, 9) -> logits (B, A) and values (B,); no batch norm."""

    name: ClassVar[str] = "simple_cnn"
    Config: ClassVar = SimpleCnnConfig

    def __init__(self, config: SimpleCnnConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = nn.Conv2d(config.input_channels, config.channels, 3, padding=1)
        self.policy_head = nn.Linear(81 * config.channels, config.num_actions)
        self.value_head = nn.Linear(81 * config.channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.conv(x).relu().flatten(1)
        return self.policy_head(features), self.value_head(features).squeeze(1)
