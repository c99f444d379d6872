"""Image classification on scikit-learn's digits: residual blocks with batch-norm, SGD with momentum."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.workload import Job, Loss


class Block(nn.Module):
    """Two 3x3 convolutions with batch-norm around an identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, image: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(image)))
        return F.relu(image + self.second_norm(self.second(inner)))


class Resnet(nn.Module):
    """Logits of the ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU())
        self.blocks = nn.Sequential(Block(12), Block(12))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(48, 10))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(images)))


@dataclass(frozen=True)
class Classify:
    """Cross-entropy of one (images, labels) batch."""

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Loss:
        images, labels = batch
        return Loss(F.cross_entropy(model(images), labels), len(labels))


def build(seed: int = 0) -> Job:
    """Ten batches of 32 digits of 8x8 pixels."""
    torch.manual_seed(seed)
    pixels, target = _digits()
    order = torch.randperm(len(target))[:320]
    images = torch.tensor(pixels, dtype=torch.float32)[order].view(10, 32, 1, 8, 8) / 16
    labels = torch.tensor(target)[order].view(10, 32)
    model = Resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    return Job(model=model, optimizer=optimizer, batches=list(zip(images, labels, strict=True)), strategy=Classify())


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)
