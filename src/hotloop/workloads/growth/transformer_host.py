"""A small causal transformer as a host for text."""

import torch
from torch import Tensor, nn

from hotloop.workloads.growth.causal_attention import CausalAttention
from hotloop.workloads.growth.host import HostKind


class TransformerHost(nn.Module):
    """Tokens (B, T) -> logits (B, T, vocabulary), with at most `context` tokens."""

    kind: HostKind = "transformer"
    detaches_seeds = False

    def __init__(self, *, vocabulary: int, context: int, channels: int, layers: int, heads: int) -> None:
        super().__init__()
        self.widths = (channels,) * layers
        self.stem = _Embedding(vocabulary, context, channels)
        self.blocks = nn.ModuleList(_Block(channels, heads) for _ in range(layers))
        self.head = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, vocabulary))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class _Embedding(nn.Module):
    def __init__(self, vocabulary: int, context: int, channels: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, channels)
        self.places = nn.Parameter(0.02 * torch.randn(context, channels))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.tokens(tokens) + self.places[: tokens.shape[1]]


class _Block(nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(channels), CausalAttention(channels, heads=heads)
        self.norm2 = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))
