"""The days of a batch, with what is known of each target: what every grouped loss is made of.

N samples, D days, H horizons, M places of the largest day.
"""

import torch
from torch import Tensor

from hotloop.kernels.segments import Segments


class DayGroups:
    """Means over the stocks of a day, and over days. `valid_NH` says which targets are known.

    `largest` is the size of the largest day, which losses over pairs of stocks need; known on the host.
    """

    def __init__(self, group_N: Tensor, num_days: int, valid_NH: Tensor, *, largest: int) -> None:
        self.segments, self.valid_NH, self.largest = Segments(group_N, num_days), valid_NH, largest
        self.weight_NH = valid_NH.to(torch.float32)
        self.size_DH = self.segments.sum(self.weight_NH)

    def sum(self, values_NH: Tensor) -> Tensor:
        """Sums over the known stocks of each day, (D, H)."""
        return self.segments.sum(torch.where(self.valid_NH, values_NH, 0.0))

    def mean(self, values_NH: Tensor) -> Tensor:
        """Means over the known stocks of each day, (D, H); 0 for a day without one."""
        return self.sum(values_NH) / self.size_DH.clamp(min=1.0)

    def centred(self, values_NH: Tensor) -> Tensor:
        """Values less the mean of their day, 0 where unknown."""
        return torch.where(self.valid_NH, values_NH - self.segments.spread(self.mean(values_NH)), 0.0)

    def over_samples(self, values_NH: Tensor) -> Tensor:
        """The mean over all known samples, whatever their day, (H,)."""
        total_H = torch.where(self.valid_NH, values_NH, 0.0).sum(0)
        return total_H / self.weight_NH.sum(0).clamp(min=1.0)

    def over_days(self, values_DH: Tensor, *, least: int = 2) -> Tensor:
        """The mean over days with at least `least` known stocks, (H,): each day counts the same; 0 without a day."""
        counts_DH = self.size_DH >= least
        return torch.where(counts_DH, values_DH, 0.0).sum(0) / counts_DH.sum(0).clamp(min=1)
