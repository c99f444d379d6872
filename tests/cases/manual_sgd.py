"""The first lesson of many tutorials: no optimizer object, the update is written out."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1))
for step in range(400):
    x = torch.randn(64, 64)
    loss = nn.functional.mse_loss(net(x), x[:, :1])
    net.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in net.parameters():
            p -= 1e-2 * p.grad  # noqa: PLW2901
    if step % 100 == 0:
        print(step, loss.item(), flush=True)
