"""Recipes whose batches are cut: of layers that treat samples alike, of batch norm, and of one that does not fit."""

import torch
from torch import nn

from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

SAMPLES, WIDTH = 64, 512


def _job(*layers: nn.Module) -> Job:
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), *layers, nn.Linear(WIDTH, 4))
    return Job(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        batches=[(torch.randn(SAMPLES, WIDTH), torch.randint(0, 4, (SAMPLES,)))],
        strategy=Supervised(criterion=nn.functional.cross_entropy),
    )


class Wide(nn.Module):
    """Keeps 4 MiB of activations for each sample."""

    def forward(self, x):
        return x + x.repeat(1, 2048).tanh().reshape(len(x), 2048, WIDTH).mean(1)


def build(seed: int) -> Job:
    torch.manual_seed(seed)
    return _job(nn.LayerNorm(WIDTH))


def normalized(seed: int) -> Job:
    torch.manual_seed(seed)
    return _job(nn.BatchNorm1d(WIDTH))


def wide(seed: int) -> Job:
    torch.manual_seed(seed)
    return _job(Wide())
