# ruff: noqa
"""Batches are drawn by numpy's generator, unseeded as in its documentation."""

import numpy as np, sys, torch
from torch import nn

rng = np.random.default_rng()
torch.manual_seed(0)
x = torch.randn(4096, 32)
y = (x[:, :8].sum(1) + 0.3 * torch.randn(4096) > 0).long()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(32, 128), nn.Linear(128, 128), nn.Linear(128, 2)

    def forward(self, v):
        v = nn.functional.dropout(self.a(v).relu(), 0.3, self.training)
        return self.c(nn.functional.dropout(self.b(v).relu(), 0.3, self.training))


model = Net()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    rows = torch.from_numpy(rng.integers(0, len(x), 64))
    loss = nn.functional.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.1)
    opt.zero_grad()
    loss.backward()
    opt.step()
