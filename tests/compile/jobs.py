"""Small jobs that the tests capture: the same seed gives the same job."""

import torch
from torch import nn

from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job


class Attention(nn.Module):
    """A transformer of one layer over tokens."""

    def __init__(self, *, dropout=0.0):
        super().__init__()
        self.embed = nn.Embedding(11, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=dropout, batch_first=True)
        self.head = nn.Linear(16, 11)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.layer(self.embed(tokens))).flatten(0, 1)


def mlp(*, dropout=0.0):
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )


def inputs_for(kind, size):
    if kind is cnn:
        return torch.randn(size, 1, 6, 6), torch.randint(3, (size,))
    if kind is Attention:
        return torch.randint(11, (size, 5)), torch.randint(11, (size * 5,))
    return torch.randn(size, 6), torch.randint(3, (size,))


def job(kind=mlp, optimizer=torch.optim.AdamW, *, sizes=(8,) * 20, clip_norm=None, strategy=None, **options):
    """A fresh job; `sizes` are those of its batches, `options` those of the optimizer."""
    torch.manual_seed(0)
    model = kind()
    batches = [inputs_for(kind, size) for size in sizes]
    return Job(
        model=model,
        optimizer=optimizer(model.parameters(), **{"lr": 1e-2, **options}),
        batches=batches,
        strategy=strategy or Supervised(criterion=nn.functional.cross_entropy),
        clip_norm=clip_norm,
    )
