"""Two encoders, one loss over all pairs of a batch, a learned temperature, and two groups of parameters."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
mix = torch.randn(16, 24)
left = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.LayerNorm(64), nn.Linear(64, 16))
right = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.LayerNorm(64), nn.Linear(64, 16))
temperature = nn.Parameter(torch.tensor(1.0))
groups = [
    {"params": [*left.parameters(), *right.parameters()], "weight_decay": 0.05},
    {"params": [temperature], "lr": 1e-2},
]
optimizer = torch.optim.AdamW(groups, lr=2e-3, weight_decay=0.0)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [2e-3, 1e-2], total_steps=200)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 190):
    seen = torch.randn(32, 16)
    one = nn.functional.normalize(left(seen), dim=1)
    two = nn.functional.normalize(right(seen @ mix + 0.1 * torch.randn(32, 24)), dim=1)
    logits, pairs = one @ two.T * temperature.exp(), torch.arange(32)
    loss = nn.functional.cross_entropy(logits, pairs) + nn.functional.cross_entropy(logits.T, pairs)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
