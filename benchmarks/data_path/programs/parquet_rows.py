"""A row of a Parquet file for each sample, taken from a pandas frame.

python parquet_rows.py --epochs 100
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset[tuple[Tensor, Tensor]]):
    """The columns of a row but for the last, and the last."""

    def __init__(self, path: Path) -> None:
        self.frame = pd.read_parquet(path)

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.frame.iloc[index]
        return torch.tensor(row[:-1].to_numpy(dtype="float32")), torch.tensor(row.iloc[-1], dtype=torch.float32)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(0)
    values = np.random.default_rng(0).standard_normal((2048, 21))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pd.DataFrame(values, columns=[f"column {n}" for n in range(21)]).to_parquet(path)
        data = Rows(path)
    loader = DataLoader(data, batch_size=64, shuffle=True, num_workers=given.workers)
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(given.epochs):
        for batch, target in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(net(batch)[:, 0], target).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
