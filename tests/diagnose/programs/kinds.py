# ruff: noqa
"""Eight programs, each built to be of one kind: python kinds.py NAME."""

import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Slow(Dataset):
    def __init__(self, read):
        self.read = read
        self.x = torch.randn(100_000, 16)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        self.read()
        return self.x[i]


def read_block():
    time.sleep(0.001)


def decode():
    return sum(n * n for n in range(20_000))


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(16))

    def forward(self, x):
        for _ in range(400):
            x = x * self.weight + 0.001
        return x


class Stretched(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.large = torch.randn(8_000_000)

    def forward(self, x):
        large = self.large * self.scale
        for _ in range(4):
            large = large + 1.0
            large = large * 0.5
        return large.mean() + x.mean()


class Python(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x):
        decode()
        return self.layer(x)


KINDS = {
    "storage": (nn.Linear(16, 4), lambda: DataLoader(Slow(read_block), batch_size=16)),
    "decoding": (nn.Linear(16, 4), lambda: DataLoader(Slow(decode), batch_size=8, num_workers=1)),
    "small": (Many(), lambda: [torch.randn(4, 16)] * 1000),
    "python": (Python(), lambda: [torch.randn(4, 16)] * 1000),
    "elementwise": (Stretched(), lambda: [torch.randn(4, 16)] * 1000),
    "embedding": (nn.EmbeddingBag(200_000, 64), lambda: [torch.randint(200_000, (64, 8))] * 1000),
    "products": (nn.Sequential(*[nn.Linear(512, 512)] * 6), lambda: [torch.randn(512, 512)] * 1000),
    "convolutions": (
        nn.Sequential(*[nn.Conv2d(32, 32, 3, padding=1)] * 3),
        lambda: [torch.randn(16, 32, 32, 32)] * 1000,
    ),
}
net, data = KINDS[sys.argv[1]]
opt = torch.optim.SGD(net.parameters(), lr=1e-4)
for x in data():
    opt.zero_grad()
    net(x).square().mean().backward()
    opt.step()
