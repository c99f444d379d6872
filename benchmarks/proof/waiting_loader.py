"""A loader that waits for storage, 0.1 s a batch, before a small step.

    python waiting_loader.py --workers 4 --steps 400

With `--steps` it prints the mean milliseconds of the steps after the first eighth, and ends.
"""

import argparse
import itertools
import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

ROWS = 20_000
WAIT = 0.1


class StoredRows(Dataset):
    """Rows that are fetched a batch at a time."""

    def __init__(self) -> None:
        self.inputs = torch.randn(ROWS, 32)
        self.classes = (self.inputs[:, :8].sum(1) > 0).long()

    def __len__(self) -> int:
        return ROWS

    def __getitems__(self, rows: list[int]) -> list[tuple[Tensor, Tensor]]:
        self.wait()
        return [(self.inputs[row], self.classes[row]) for row in rows]

    def wait(self) -> None:
        """One read of the storage."""
        time.sleep(WAIT)


def train(rows: StoredRows) -> None:
    """Epochs without end, or as many steps as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    given = parser.parse_args()
    model = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = DataLoader(rows, batch_size=32, shuffle=True, num_workers=given.workers)
    first, began = given.steps // 8, 0.0
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for step, (inputs, classes) in enumerate(itertools.islice(batches, given.steps or None)):
        if step == first:
            began = time.perf_counter()
        loss = F.cross_entropy(model(inputs), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{1e3 * (time.perf_counter() - began) / (given.steps - first):.4f} ms a step")


if __name__ == "__main__":
    torch.manual_seed(0)
    train(StoredRows())
