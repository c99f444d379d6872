"""Another feed-forward layer."""

from typing import ClassVar

from torch import Tensor, nn


class MlpSeed(nn.Module):
    """x + down(gelu(up(norm(x)))), four times as wide inside, with `down` 0 at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        nn.init.zeros_(self.down.weight)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class MlpBlueprint:
    """As the host's own feed-forward layers."""

    name: ClassVar[str] = "mlp"
    hosts: ClassVar = frozenset({"transformer"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return MlpSeed(channels)
