"""The residual tower over a board of 9 x 9, with or without squeeze and excitation."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.models.policy.tower import BoardHead, TowerBlock
from hotloop.option import AtLeast


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """`se_ratio` is the width of the squeeze over that of the tower; 0 or None leaves it out."""

    input_channels: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(2)]
    depth: Annotated[int, AtLeast(1)] = 9
    width: Annotated[int, AtLeast(1)] = 256
    se_ratio: Annotated[float, AtLeast(0)] | None = 0.25


class ResNet(ActorCritic):
    """`depth` residual blocks of `width` channels; (B, C, 9, 9) -> logits (B, A) and values (B,), which are unbounded.

    Source: the specification of the actor-critic, section 1.3, after Silver et al. 2017.
    """

    name: ClassVar[str] = "resnet"
    Config: ClassVar = ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(
            nn.Conv2d(config.input_channels, config.width, 3, padding=1), nn.BatchNorm2d(config.width), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(TowerBlock(config.width, config.se_ratio or 0.0) for _ in range(config.depth)))
        self.policy_head = BoardHead(config.width, config.num_actions)
        self.value_head = BoardHead(config.width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.blocks(self.stem(x))
        return self.policy_head(features), self.value_head(features).squeeze(1)
