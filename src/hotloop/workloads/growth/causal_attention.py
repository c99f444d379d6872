"""Causal self-attention."""

from torch import Tensor, nn

# B sequences, T tokens, C channels


class CausalAttention(nn.Module):
    """(B, T, C) -> (B, T, C); a token sees itself and what came before it. Source: Vaswani et al. 2017."""

    def __init__(self, channels: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x_BTC: Tensor) -> Tensor:
        batch, tokens, channels = x_BTC.shape
        split = self.qkv(x_BTC).view(batch, tokens, 3, self.heads, channels // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, channels))
