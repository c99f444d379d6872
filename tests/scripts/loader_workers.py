"""A DataLoader with two worker processes, forked or spawned (--context spawn)."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Waves(Dataset):
    """Noisy sines; the class is the frequency."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        label = i % 8
        noise = torch.randn(256, generator=torch.Generator().manual_seed(i))
        return torch.sin(torch.linspace(0, 6.28 * (label + 1), 256)) + noise, label


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--size", type=int, default=6400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--context", choices=["fork", "spawn"], default="fork")
    args = parser.parse_args()

    torch.manual_seed(0)
    loader = DataLoader(
        Waves(args.size),
        batch_size=64,
        shuffle=True,
        num_workers=args.workers,
        multiprocessing_context=args.context if args.workers else None,
    )
    model = nn.Sequential(
        nn.Unflatten(1, (1, 256)), nn.Conv1d(1, 32, 9, padding=4), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Conv1d(32, 64, 9, stride=2, padding=4), nn.BatchNorm1d(64), nn.ReLU(),
        nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(512, 8),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    step = 0
    for epoch in range(args.epochs):
        for signals, labels in loader:
            loss = nn.functional.cross_entropy(model(signals), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 20 == 0:
                print(f"epoch {epoch} step {step} loss {loss.item():.4f}")
    print("done")


if __name__ == "__main__":
    main()
