"""A loader that computes for each batch, as decoding does, on one thread, before a small step.

python decoding_loader.py --workers 2 --steps 2000
"""

import torch
from waiting_loader import StoredRows, train

PRODUCTS = 300


class EncodedRows(StoredRows):
    """Rows whose batch takes some milliseconds of one core."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = torch.randn(96, 96)

    def wait(self) -> None:
        """Nothing is waited for: the batch is computed."""
        product = self.matrix
        for _ in range(PRODUCTS):
            product = torch.tanh(product @ self.matrix)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train(EncodedRows())
