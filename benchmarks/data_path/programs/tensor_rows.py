"""Rows of two tensors in a TensorDataset: the loader stacks them one by one.

python tensor_rows.py --epochs 400
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=400)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    rows = torch.randn(8192, 32)
    data = TensorDataset(rows, (rows[:, :4].sum(1) > 0).long())
    loader = DataLoader(data, batch_size=256, shuffle=True, num_workers=given.workers)
    net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(given.epochs):
        for batch, target in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), target).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
