"""A regression of plain tensors and functions: no module is ever called."""

import sys

import torch

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randn(256, 1)
weight = torch.zeros(8, 1, requires_grad=True)
optimizer = torch.optim.SGD([weight], lr=0.01)
for _ in range(int(sys.argv[1]) if sys.argv[1:] else 10**9):
    loss = (x @ weight - y).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
