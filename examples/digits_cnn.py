"""Train a small convolutional network to read handwritten digits.

The data are the 1,797 images of scikit-learn's digits, enlarged from 8x8 to 32x32 pixels.

    python digits_cnn.py --epochs 5
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split


def digits() -> TensorDataset:
    """Images of shape (1, 32, 32) with mean 0 and deviation 1, each with its class 0..9."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8)
    images = F.interpolate(images, size=(32, 32), mode="bilinear")
    images = (images - images.mean()) / images.std()
    return TensorDataset(images, torch.tensor(labels))


def block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Convolution, batch-norm, ReLU; then half the height and width."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class DigitsCNN(nn.Module):
    """Three blocks, the mean over what is left of the image, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(block(1, 16), block(16, 64), block(64, 128))
        self.classifier = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images).mean(dim=(2, 3)))


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """The share of images that the model reads right."""
    model.eval()
    right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in loader)
    model.train()
    return right / len(loader.dataset)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small CNN on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_set, val_set = random_split(digits(), [0.8, 0.2])
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True, drop_last=True)
    val_loader = DataLoader(val_set, batch_size=256)

    model = DigitsCNN()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)

    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for images, labels in train_loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(
            f"epoch {epoch:3d}   loss {total / len(train_loader):.4f}   val accuracy {accuracy(model, val_loader):.3f}"
        )


if __name__ == "__main__":
    main()
