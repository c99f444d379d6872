"""An MLP with dropout and batch-norm, AdamW."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(4096, 32)
y = (x[:, :8].sum(1) + 0.3 * torch.randn(4096) > 0).long()
model = nn.Sequential(
    nn.Linear(32, 128),
    nn.BatchNorm1d(128),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(128, 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 2),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    rows = torch.randint(0, len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
