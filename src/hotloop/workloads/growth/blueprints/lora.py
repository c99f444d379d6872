"""A correction of low rank."""

from typing import ClassVar

from torch import Tensor, nn

_RANK = 8


class LoraSeed(nn.Module):
    """x + up(down(x)), with `up` 0 at first. Source: Hu et al. 2021, arXiv:2106.09685."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        rank = min(_RANK, channels)
        self.down, self.up = nn.Linear(channels, rank, bias=False), nn.Linear(rank, channels, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.down(x))


class LoraBlueprint:
    """Rank 8."""

    name: ClassVar[str] = "lora"
    hosts: ClassVar = frozenset({"transformer"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return LoraSeed(channels)
