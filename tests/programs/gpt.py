"""A tiny GPT with dropout in attention and outside it, AdamW."""

import sys

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Attention and a two-layer net, each with a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before_attention, self.before_net = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        parts = self.mix(self.before_attention(x)).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in parts)
        rate = 0.1 if self.training else 0.0
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=rate)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.net(self.before_net(x)))


class GPT(nn.Module):
    """Two blocks over a vocabulary of 50."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, width), nn.Embedding(24, width)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 50)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the next token."""
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.head(self.norm(self.blocks(x)))


torch.manual_seed(0)
text = torch.cumsum(torch.randint(1, 4, (20_000,)), 0) % 50
model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    starts = torch.randint(0, len(text) - 25, (8,))
    batch = torch.stack([text[start : start + 25] for start in starts])
    logits = model(batch[:, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
