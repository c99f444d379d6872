"""A small network trained with the batch that the command line names; `--checkpoint` recomputes its blocks."""

import sys

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

batch, recomputes = int(sys.argv[1]), "--checkpoint" in sys.argv
blocks = [nn.Sequential(nn.Linear(256, 1024), nn.Tanh(), nn.Linear(1024, 256)) for _ in range(6)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm1d(256)

    def forward(self, x):
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if recomputes else block(x))
        return self.norm(x)


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(int(sys.argv[2]) if sys.argv[2:] and sys.argv[2].isdigit() else 50):
    x = torch.randn(batch, 256)
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
