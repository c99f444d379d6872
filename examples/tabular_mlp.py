"""Train an MLP to tell benign from malignant tumours.

The data are the 569 rows of 30 measurements of scikit-learn's breast cancer table.

    python tabular_mlp.py --epochs 50
"""

import argparse
from itertools import pairwise

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.nn import functional as F


def table() -> tuple[Tensor, Tensor]:
    """The measurements, each with mean 0 and deviation 1, and the diagnosis: 0 malignant, 1 benign."""
    rows, diagnosis = load_breast_cancer(return_X_y=True)
    features = torch.tensor(rows, dtype=torch.float32)
    features = (features - features.mean(0)) / features.std(0)
    return features, torch.tensor(diagnosis)


def mlp(num_features: int, width: int, depth: int, num_classes: int) -> nn.Sequential:
    """`depth` hidden layers of `width` units."""
    layers: list[nn.Module] = []
    for before, after in pairwise([num_features] + [width] * depth):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, num_classes))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train an MLP on the breast cancer table.")
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    features, labels = table()
    order = torch.randperm(len(labels))
    train, val = order[114:], order[:114]

    model = mlp(features.shape[1], args.width, args.depth, num_classes=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=args.weight_decay)

    for epoch in range(1, args.epochs + 1):
        for rows in train[torch.randperm(len(train))].split(args.batch_size):
            loss = F.cross_entropy(model(features[rows]), labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 10 == 0:
            with torch.no_grad():
                right = (model(features[val]).argmax(1) == labels[val]).float().mean()
            print(f"epoch {epoch:4d}   loss {loss.item():.5f}   val accuracy {right.item():.3f}")


if __name__ == "__main__":
    main()
