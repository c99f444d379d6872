"""The batches of each epoch, drawn once for all networks that train on them."""

import torch
from torch import Tensor

from hotloop.workloads.growth.task import Split

Batch = tuple[Tensor, Tensor]


class SharedEpochs:
    """Shuffled batches of a split on one device; those of the last epoch asked for are kept, whoever asks again.

    The order depends on `seed` and the number of the epoch alone, so that a run goes on wherever it was cut off.
    `num_fetched` counts batches that were made. `max_batches` leaves out the rest of an epoch without making it.
    """

    def __init__(
        self, split: Split, *, batch_size: int, seed: int, device: torch.device, max_batches: int | None = None
    ) -> None:
        self._inputs, self._targets = (part.to(device) for part in split)
        self._batch_size, self._seed, self._max_batches = batch_size, seed, max_batches
        self._number = -1
        self._batches: list[Batch] = []
        self.num_fetched = 0

    @property
    def device(self) -> torch.device:
        """Where the batches are."""
        return self._targets.device

    def epoch(self, number: int) -> list[Batch]:
        """All batches of the 0-based epoch."""
        if number != self._number:
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + number)
            order = torch.randperm(len(self._targets), generator=generator).split(self._batch_size)
            chosen = [rows.to(self._inputs.device) for rows in order[: self._max_batches]]
            self._batches = [(self._inputs[rows], self._targets[rows]) for rows in chosen]
            self._number = number
            self.num_fetched += len(self._batches)
        return self._batches
