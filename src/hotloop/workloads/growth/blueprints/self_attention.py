"""Another layer of causal attention."""

from typing import ClassVar

from torch import Tensor, nn

from hotloop.workloads.growth.causal_attention import CausalAttention


class SelfAttentionSeed(nn.Module):
    """x + attention(norm(x)), whose last projection is 0 at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(channels), CausalAttention(channels, heads=1)
        nn.init.zeros_(self.attention.out.weight)
        nn.init.zeros_(self.attention.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.norm(x))


class SelfAttentionBlueprint:
    """One head."""

    name: ClassVar[str] = "self_attention"
    hosts: ClassVar = frozenset({"transformer"})

    @staticmethod
    def build(channels: int) -> nn.Module:
        return SelfAttentionSeed(channels)
