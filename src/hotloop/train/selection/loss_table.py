"""The last known loss of each example."""

from collections.abc import Sequence

import torch
from torch import Tensor

_FOLD_EVERY = 64  # records between two transfers from the device, where nobody asks earlier


class LossTable:
    """One float32 number an example, on the CPU; NaN for one that was never seen.

    Recording waits for no device: losses are read when the table is asked, or after 64 records.
    """

    def __init__(self, num_examples: int) -> None:
        if num_examples < 1:
            raise ValueError(f"num_examples: got {num_examples}; at least 1 is allowed")
        self._losses = torch.full((num_examples,), torch.nan)
        self._unread: list[tuple[Tensor, Tensor]] = []

    def record(self, indices: Sequence[int] | Tensor, losses: Tensor) -> None:
        """Take in the losses of some examples. Raises ValueError where there are not as many of both."""
        indices = torch.as_tensor(indices)
        if indices.shape != losses.shape or indices.dim() != 1:
            raise ValueError(
                f"got indices of shape {tuple(indices.shape)} and losses of {tuple(losses.shape)}; give one loss "
                "for each example: build the loss with reduction='none'"
            )
        self._unread.append((indices, losses.detach()))
        if len(self._unread) == _FOLD_EVERY:
            self._read()

    @property
    def losses(self) -> Tensor:
        """All of them, shape (num_examples,); not a copy."""
        self._read()
        return self._losses

    def load(self, losses: Tensor) -> None:
        """Go on with the losses of another table. Raises ValueError for another number of examples."""
        if losses.shape != self._losses.shape:
            raise ValueError(
                f"got losses of {len(losses)} examples, this table has {len(self._losses)}; give the same data"
            )
        self._unread.clear()
        self._losses.copy_(losses)

    def _read(self) -> None:
        for indices, losses in self._unread:
            self._losses[indices.cpu()] = losses.float().cpu()
        self._unread.clear()


def is_easy(losses: Tensor, *, threshold: float) -> Tensor:
    """Which of `losses` are below `threshold` times the mean of those that are known; NaN is not easy."""
    return losses < threshold * torch.nanmean(losses)
