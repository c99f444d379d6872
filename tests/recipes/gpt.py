"""Next-character prediction on text that ships with Python: a small GPT, AdamW, warmup, clipping."""

import sys
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.workload import Job, Loss

# Shapes: B texts, T characters, H heads, D features.


class Attention(nn.Module):
    """Causal self-attention with dropout on its weights."""

    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        parts = self.inward(x_BTD).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts)
        rate = self.dropout if self.training else 0.0
        mixed_BHTD = F.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=rate)
        return self.outward(mixed_BHTD.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and a two-layer net, each after a norm and around an identity."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, 4, dropout)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.drop = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.drop(self.attention(self.norms[0](x_BTD)))
        return x_BTD + self.drop(self.net(self.norms[1](x_BTD)))


class Gpt(nn.Module):
    """Logits of the next character at each place."""

    def __init__(self, num_characters: int, length: int, *, width: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.characters = nn.Embedding(num_characters, width)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.layers = nn.Sequential(Layer(width, dropout), Layer(width, dropout), nn.LayerNorm(width))
        self.head = nn.Linear(width, num_characters, bias=False)

    def forward(self, text_BT: Tensor) -> Tensor:
        return self.head(self.layers(self.characters(text_BT) + self.places))


@dataclass(frozen=True)
class NextCharacter:
    """Cross-entropy of each character given those before it."""

    def loss(self, model: nn.Module, batch: Tensor) -> Loss:
        logits = model(batch[:, :-1])
        return Loss(F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten()), batch[:, 1:].numel())


def build(seed: int = 0) -> Job:
    """Ten batches of 6 texts of 25 characters."""
    torch.manual_seed(seed)
    text = torch.tensor([min(ord(c), 127) for c in f"{sys.copyright} {dict.__doc__} {int.__doc__} {str.__doc__}"])
    starts = torch.randint(len(text) - 25, (10, 6))
    batches = [torch.stack([text[start : start + 25] for start in row.tolist()]) for row in starts]
    model = Gpt(128, 24)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 5))
    return Job(
        model=model,
        optimizer=optimizer,
        batches=batches,
        strategy=NextCharacter(),
        scheduler=scheduler,
        clip_norm=1.0,
    )
