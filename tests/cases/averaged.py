# ruff: noqa
"""Stochastic weight averaging with two schedules, groups without weight decay, and batch statistics set afterwards."""

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(320, 1, 8, 8)
loader = DataLoader(TensorDataset(x, (x.mean((1, 2, 3)) > 0).long()), 64, shuffle=True)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.m, self.n = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x):
        return torch.relu(x + self.n(self.b(torch.relu(self.m(self.a(x))))))


net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), Block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2))
averaged = AveragedModel(net)
groups = [
    {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": 0.05},
    {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
]
opt = torch.optim.AdamW(groups, 2e-3)
rising, late = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, total_steps=16), SWALR(opt, 5e-4)
for epoch in range(8):
    for rows, labels in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(net(rows), labels, label_smoothing=0.1).backward()
        opt.step()
        if epoch < 3:
            rising.step()
    if epoch >= 3:
        averaged.update_parameters(net)
        late.step()
update_bn(loader, averaged)
