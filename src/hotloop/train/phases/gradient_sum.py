"""The mean gradient of several backward passes."""

from typing import Protocol

import torch
from torch import Tensor


class GradientSum(Protocol):
    """Takes in flat gradients one after another, and gives their mean."""

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is stored between two gradients."""
        ...

    def accumulate(self, gradient: Tensor) -> None:
        """Take in one flat gradient."""
        ...

    def mean(self, out: Tensor) -> Tensor:
        """The mean of those since the last reset, written to `out`; zeros of none."""
        ...

    def reset(self) -> None:
        """Begin anew."""
        ...


class PlainSum:
    """A float32 vector."""

    def __init__(self, size: int, *, device: torch.device | str = "cpu") -> None:
        self._sum = torch.zeros(size, device=device)
        self._count = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the vector."""
        return self._sum.untyped_storage().nbytes()

    def accumulate(self, gradient: Tensor) -> None:
        """Add one flat gradient."""
        self._sum.add_(gradient)
        self._count += 1

    def mean(self, out: Tensor) -> Tensor:
        """The mean of those since the last reset, written to `out`; zeros of none."""
        return torch.div(self._sum, max(1, self._count), out=out)

    def reset(self) -> None:
        """Begin anew."""
        self._sum.zero_()
        self._count = 0
