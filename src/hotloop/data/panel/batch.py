"""Samples and batches of a panel.

N samples, L steps of a window, F features, H horizons, E exposures.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class PanelSample(NamedTuple):
    """One window as views of the store: what was known of a stock (L, F) at the end of `day`, and what followed (H)."""

    features: Tensor
    targets: Tensor
    stock: int
    day: int


class PanelBatch(NamedTuple):
    """Windows of whole groups of one day each.

    `features` (N, L, F) in the store's dtype, `targets` (N, H) float32 with NaN where unknown, `exposures` (N, E).
    `group` numbers the day of each sample from 0 to `num_groups` - 1 in ascending order of days, without a gap, and
    `place` the samples of a day from 0; `largest` is the size of the largest group. Both counts are known on the host,
    so nobody need ask the device. `stock` is the number of the code, `day` counts from 1970-01-01.
    """

    features: Tensor
    targets: Tensor
    exposures: Tensor
    group: Tensor
    place: Tensor
    stock: Tensor
    day: Tensor
    num_groups: int
    largest: int

    def to(self, device: torch.device | str, *, non_blocking: bool = True) -> "PanelBatch":
        """The same on `device`; copies of pinned memory do not wait."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "PanelBatch":
        """The same in pinned memory, from which a GPU copies by itself; DataLoader calls this."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "PanelBatch":
        changed: Any = {name: change(value) for name, value in self._asdict().items() if isinstance(value, Tensor)}
        return self._replace(**changed)
