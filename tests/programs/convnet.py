"""A small convolutional net with batch-norm, SGD with momentum."""

import sys

import torch
from torch import nn


def main(steps: int) -> None:
    """Train on bright and dark quadrants."""
    torch.manual_seed(0)
    labels = torch.arange(1024) % 4
    images = torch.randn(1024, 3, 16, 16)
    for index, label in enumerate(labels.tolist()):
        row, column = 8 * (label // 2), 8 * (label % 2)
        images[index, :, row : row + 8, column : column + 8] += 0.7
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (32,))
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10**9)
