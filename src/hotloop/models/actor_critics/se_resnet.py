"""The tower with several heads: policy planes, win/draw/loss, and score."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop.kernels import squeeze_excitation
from hotloop.models.policy.actor_critic import ActorCritic
from hotloop.models.policy.heads import Heads
from hotloop.option import AtLeast


@dataclass(frozen=True, kw_only=True)
class SeResNetConfig:
    """The policy has a plane for each kind of move: `num_actions` is 81 times as many, index square * planes + plane.

    `pool_units` are those between the pooled input and the bias it gives, `se_reduction` divides the width.
    """

    input_channels: Annotated[int, AtLeast(1)]
    num_actions: Annotated[int, AtLeast(81)] = 81 * 139
    depth: Annotated[int, AtLeast(1)] = 40
    width: Annotated[int, AtLeast(1)] = 256
    pool_units: Annotated[int, AtLeast(1)] = 128
    se_reduction: Annotated[int, AtLeast(1)] = 16

    def __post_init__(self) -> None:
        if self.num_actions % 81:
            raise ValueError(
                f"got num_actions={self.num_actions}; the policy has whole planes of 81 squares, such as 11259: use "
                "the action encoding by square and kind of move"
            )


class SeResNet(ActorCritic):
    """(B, C, 9, 9) -> logits (B, A) and values P(win) - P(loss) (B,) in [-1, 1]; `heads` gives all it knows.

    Source: the specification of the actor-critic, section 1.3, after Wu 2019, arXiv:1902.10565.
    """

    name: ClassVar[str] = "se_resnet"
    Config: ClassVar = SeResNetConfig

    def __init__(self, config: SeResNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.stem = nn.Sequential(
            nn.Conv2d(config.input_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(PooledBlock(config) for _ in range(config.depth)))
        self.policy_head = nn.Sequential(
            nn.Conv2d(width, 32, 1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, config.num_actions // 81, 1)
        )
        self.outcome_head = nn.Sequential(nn.Linear(3 * width, 256), nn.ReLU(), nn.Linear(256, 3))
        self.score_head = nn.Sequential(nn.Linear(3 * width, 128), nn.ReLU(), nn.Linear(128, 1))

    def heads(self, x: Tensor) -> Heads:
        """The outputs of all heads."""
        features = self.blocks(self.stem(x))
        pooled = _pooled(features)
        planes = self.policy_head(features).permute(0, 2, 3, 1).flatten(1)
        return Heads(planes, self.outcome_head(pooled), self.score_head(pooled).squeeze(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.heads(x)
        win, _, loss = heads.outcome.float().softmax(dim=1).unbind(1)
        return heads.policy, win - loss


class PooledBlock(nn.Module):
    """A residual block with a bias by channel from its pooled input, and channels that are scaled and shifted."""

    def __init__(self, config: SeResNetConfig) -> None:
        super().__init__()
        width, squeezed = config.width, max(1, config.width // config.se_reduction)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(width)
        self.pool_bias = nn.Sequential(
            nn.Linear(3 * width, config.pool_units), nn.ReLU(), nn.Linear(config.pool_units, width)
        )
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(width)
        self.excite = ScaleAndShift(nn.Linear(width, squeezed), nn.ReLU(), nn.Linear(squeezed, 2 * width))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm1(self.conv1(x)).relu() + self.pool_bias(_pooled(x))[:, :, None, None]
        return self.excite(self.norm2(self.conv2(inner)), x)


class ScaleAndShift(nn.Sequential):
    """Scales and shifts each channel by what two layers make of all channels' means; adds the residual, then ReLU."""

    def forward(self, y: Tensor, residual: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        first: Any = self[0]
        second: Any = self[2]
        squeeze, excite = (first.weight, first.bias), (second.weight, second.bias)
        return squeeze_excitation(y, residual, squeeze, excite, with_shift=True)


def _pooled(x: Tensor) -> Tensor:
    """Mean, maximum and standard deviation of each channel over the board, (B, 3 W)."""
    # Not flattened, which would copy tensors in channels_last; and `std` is slower than what it is made of.
    board = 2, 3
    mean = x.mean(board, keepdim=True)
    variance = (x - mean).square().mean(board)
    # Where a channel is the same everywhere, the gradient of the root would be infinite: it is 0 there.
    return torch.cat([mean.flatten(1), x.amax(board), variance.clamp(min=1e-12).sqrt()], dim=1)
