"""One wide hidden layer, shared by policy and value."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torch import Tensor, nn

from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.option import AtLeast


@dataclass(frozen=True, kw_only=True)
class WideNetConfig:
    """`observation_size` and `num_actions` are filled in by `hotloop train`."""

    observation_size: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(2)]
    width: Annotated[int, AtLeast(1)] = 256


class WideNet(ActorCritic):
    """(B, *observation) -> logits (B, A) and values (B,)."""

    name: ClassVar[str] = "wide_net"
    Config: ClassVar = WideNetConfig

    def __init__(self, config: WideNetConfig) -> None:
        super().__init__()
        self.hidden = nn.Linear(config.observation_size, config.width)
        self.policy = nn.Linear(config.width, config.num_actions)
        self.value = nn.Linear(config.width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.hidden(x.flatten(1)).relu()
        return self.policy(features), self.value(features).squeeze(1)
