"""Reconstruction of scikit-learn's digits: a convolutional autoencoder with batch-norm, Adam."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from hotloop.workload import Job, Loss


class Autoencoder(nn.Module):
    """The images again, through a bottleneck of a quarter of the pixels in each direction."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.SiLU(),
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 2, stride=2),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            nn.ConvTranspose2d(8, 1, 2, stride=2),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


@dataclass(frozen=True)
class Reconstruct:
    """Mean squared error between a batch of images and what the model makes of it."""

    def loss(self, model: nn.Module, batch: Tensor) -> Loss:
        return Loss(F.mse_loss(model(batch), batch), len(batch))


def build(seed: int = 0) -> Job:
    """Ten batches of 32 digits of 8x8 pixels."""
    torch.manual_seed(seed)
    pixels = _digits()[0]
    order = torch.randperm(len(pixels))[:320]
    images = torch.tensor(pixels, dtype=torch.float32)[order].view(10, 32, 1, 8, 8) / 16
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    return Job(model=model, optimizer=optimizer, batches=list(images), strategy=Reconstruct())


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)
