"""Images in an array, as torchvision's small data sets keep them, with deterministic transforms for each sample.

python images.py --epochs 100
python images.py --epochs 100 --augment     # and a random flip, which must be drawn anew for each epoch
"""

import argparse

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class Images(Dataset[tuple[Tensor, int]]):
    """Grey images of 28 x 28 points, enlarged and normalised when they are read."""

    def __init__(self, *, augments: bool) -> None:
        self.data = torch.randint(256, (2048, 28, 28), dtype=torch.uint8)
        self.targets = [int(image[:14].float().mean() > 127.5) for image in self.data]
        self.augments = augments

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.data[index][None].float().div(255.0)
        image = F.interpolate(image[None], size=(32, 32), mode="bilinear", antialias=True)[0]
        image = image.sub(0.1307).div(0.3081)
        if self.augments and torch.rand(()) < 0.5:
            image = image.flip(2)
        return image, self.targets[index]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--augment", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    loader = DataLoader(Images(augments=given.augment), batch_size=32, shuffle=True, num_workers=given.workers)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 15 * 15, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for _ in range(given.epochs):
        for batch, target in loader:
            optimizer.zero_grad()
            F.cross_entropy(net(batch), target).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
