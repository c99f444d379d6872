# ruff: noqa
"""Lazy layers: widths are inferred in a dry run before the optimizer is made."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    nn.LazyConv2d(32, 3, padding=1),
    nn.LazyBatchNorm2d(),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(4),
    nn.Flatten(),
    nn.LazyLinear(256),
    nn.ReLU(),
    nn.LazyLinear(10),
)
net(torch.randn(2, 3, 16, 16))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
for step in range(400):
    x = torch.randn(32, 3, 16, 16)
    y = (x.mean((1, 2, 3)) > 0).long()
    loss = nn.functional.cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, float(loss.detach()), flush=True)
