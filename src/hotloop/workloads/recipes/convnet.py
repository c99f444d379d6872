"""A small convolutional net on random images, about 20 ms a step on one core: what `hotloop machine` runs."""

import itertools

import torch
from torch import nn

from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job


def build(seed: int) -> Job:
    """Three convolutions with batch-norm, 16 images of 3 x 32 x 32, AdamW; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    widths = (3, 32, 64, 128)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(fan_out), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))
    images = torch.randn(8, 16, 3, 32, 32, generator=generator)
    labels = torch.randint(0, 10, (8, 16), generator=generator)
    return Job(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        batches=list(zip(images, labels, strict=True)),
        strategy=Supervised(criterion=nn.functional.cross_entropy),
    )
