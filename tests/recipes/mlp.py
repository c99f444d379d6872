"""Tabular classification: a small MLP with dropout, AdamW."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.workload import Job, Loss


class Net(nn.Module):
    """Logits of five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(32, 96),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(96, 96),
            nn.GELU(),
            nn.Dropout(0.1),
            nn.Linear(96, 5),
        )

    def forward(self, rows: Tensor) -> Tensor:
        return self.layers(rows)


@dataclass(frozen=True)
class Classify:
    """Cross-entropy of one (rows, labels) batch."""

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Loss:
        rows, labels = batch
        return Loss(F.cross_entropy(model(rows), labels), len(labels))


def build(seed: int = 0) -> Job:
    """Twelve batches of 64 rows whose labels a random linear teacher gave."""
    torch.manual_seed(seed)
    rows = torch.randn(12, 64, 32)
    labels = (rows @ torch.randn(32, 5)).argmax(-1)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return Job(model=model, optimizer=optimizer, batches=list(zip(rows, labels, strict=True)), strategy=Classify())
