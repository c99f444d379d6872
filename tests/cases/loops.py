# ruff: noqa
"""Loops over a loader in the shapes that scripts have. python loops.py folds|lazy|iterable|break|gan WORKERS"""

import copy
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

torch.manual_seed(0)
kind, workers = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
x = torch.randn(320, 16)
y = (x[:, :4].sum(1) > 0).long()


class Decoded(Dataset):
    def __len__(self):
        return len(x)

    def __getitem__(self, index):
        return (x[index] * 64).round() / 64, int(y[index])


class Stream(IterableDataset):
    def __iter__(self):
        for index in torch.randperm(len(x)).tolist():
            yield x[index], y[index]


def network():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))


def train(net, opt, loader, *, after=lambda: None, most=None):
    for step, (rows, labels) in enumerate(loader):
        if step == most:
            break
        opt.zero_grad()
        nn.functional.cross_entropy(net(rows), labels).backward()
        opt.step()
        after()


if kind == "folds":
    nets = [network() for _ in range(3)]
    first, second, third = nets
    for fold, net in enumerate(nets):
        average = copy.deepcopy(net).requires_grad_(False)
        kept = [index for index in range(len(x)) if index % 3 != fold]
        loader = DataLoader(Subset(Decoded(), kept), 32, shuffle=True, num_workers=workers)
        opt = torch.optim.AdamW(net.parameters(), 1e-3)

        def follow():
            with torch.no_grad():
                for old, new in zip(average.parameters(), net.parameters()):
                    old.lerp_(new, 0.1)

        for epoch in range(3):
            train(net, opt, loader, after=follow)
elif kind == "gan":
    loader = DataLoader(TensorDataset(x), 32, shuffle=True, num_workers=workers, drop_last=True)
    maker, judge = nn.Linear(4, 16), nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1))
    opts = torch.optim.Adam(judge.parameters(), 1e-3), torch.optim.Adam(maker.parameters(), 1e-3)
    for epoch in range(4):
        for (rows,) in loader:
            made = maker(torch.randn(len(rows), 4))
            loss = nn.functional.softplus(-judge(rows)).mean() + nn.functional.softplus(judge(made.detach())).mean()
            opts[0].zero_grad()
            loss.backward()
            opts[0].step()
            opts[1].zero_grad()
            nn.functional.softplus(-judge(made)).mean().backward()
            opts[1].step()
else:
    net = network()
    if kind == "lazy":
        net = nn.Sequential(nn.LazyLinear(32), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
        net(x[:2])
    data = Stream() if kind == "iterable" else Decoded()
    loader = DataLoader(data, 32, shuffle=kind != "iterable", num_workers=workers)
    opt = torch.optim.Adam(net.parameters(), 1e-3)
    for epoch in range(5):
        train(net, opt, loader, most=4 if kind == "break" else None)
