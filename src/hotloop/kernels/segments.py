"""Sums, maxima, softmaxes and ranks over samples of the same group, for all groups at once and without a host read.

N samples, G groups, M places of a padded group; further dimensions (...) go along.
"""

import torch
from torch import Tensor


class Segments:
    """Operations by group. `group_N` numbers the group of each sample, from 0 to `num_groups` - 1, in any order.

    `num_groups` is known on the host, so nothing is read; a group may be empty. All results are differentiable but
    the ranks. Index additions on CUDA are not deterministic in their last bits.
    """

    def __init__(self, group_N: Tensor, num_groups: int) -> None:
        self.group_N, self.num_groups = group_N, num_groups

    def sum(self, values_N: Tensor) -> Tensor:
        """Sums by group, (G, ...)."""
        empty_G = values_N.new_zeros((self.num_groups, *values_N.shape[1:]))
        return empty_G.index_add(0, self.group_N, values_N)

    def amax(self, values_N: Tensor) -> Tensor:
        """The largest by group, (G, ...); -inf for an empty one."""
        lowest_G = values_N.new_full((self.num_groups, *values_N.shape[1:]), -torch.inf)
        group_N = self.group_N.view(-1, *[1] * (values_N.ndim - 1)).expand_as(values_N)
        return lowest_G.scatter_reduce(0, group_N, values_N, "amax")

    def spread(self, values_G: Tensor) -> Tensor:
        """The value of its group for each sample, (N, ...)."""
        return values_G.index_select(0, self.group_N)

    def log_softmax(self, values_N: Tensor, valid_N: Tensor | None = None) -> Tensor:
        """Logarithms of the softmax within each group; 0 where not valid, as if the sample were not there."""
        valid_N = torch.ones_like(values_N, dtype=torch.bool) if valid_N is None else valid_N
        # A constant shift, so its gradient cancels; a group without a valid sample is shifted by nothing.
        highest_G = self.amax(values_N.detach().masked_fill(~valid_N, -torch.inf)).clamp(min=torch.finfo().min / 2)
        shifted_N = torch.where(valid_N, values_N - self.spread(highest_G), 0.0)
        total_G = self.sum(shifted_N.exp() * valid_N).clamp(min=torch.finfo(values_N.dtype).tiny)
        return torch.where(valid_N, shifted_N - self.spread(total_G.log()), 0.0)

    def softmax(self, values_N: Tensor, valid_N: Tensor | None = None) -> Tensor:
        """Shares within each group; 0 where not valid. A group without a valid sample has no share."""
        shares_N = self.log_softmax(values_N, valid_N).exp()
        return shares_N if valid_N is None else shares_N * valid_N

    def places(self) -> Tensor:
        """The place of each sample within its group, from 0, in the order of the samples."""
        order_N = self.group_N.argsort(stable=True)
        sizes_G = self.sum(torch.ones_like(self.group_N))
        starts_G = sizes_G.cumsum(0) - sizes_G
        numbers_N = torch.arange(len(order_N), device=order_N.device)
        sorted_N = numbers_N - starts_G[self.group_N[order_N]]
        return torch.empty_like(sorted_N).index_copy(0, order_N, sorted_N)

    def padded(self, values_N: Tensor, places_N: Tensor, largest: int, *, fill: float) -> Tensor:
        """Each group as a row of a dense tensor, (G, M, ...) with M = `largest`, filled up with `fill`."""
        empty_GM = values_N.new_full((self.num_groups * largest, *values_N.shape[1:]), fill)
        filled_GM = empty_GM.index_copy(0, self.group_N * largest + places_N, values_N)
        return filled_GM.view(self.num_groups, largest, *values_N.shape[1:])

    def unpadded(self, values_GM: Tensor, places_N: Tensor) -> Tensor:
        """The samples of what `padded` gave, (N, ...)."""
        return values_GM.flatten(0, 1).index_select(0, self.group_N * values_GM.shape[1] + places_N)

    @torch.no_grad()
    def ranks(self, values_NH: Tensor, valid_NH: Tensor) -> Tensor:
        """Ranks from 1 within each group by ascending value, ties averaged, (N, H); 0 where not valid.

        Each column is ranked by itself; the dtype is that of the values.
        """
        columns = [
            self._ranks(value, valid) for value, valid in zip(values_NH.unbind(1), valid_NH.unbind(1), strict=True)
        ]
        return torch.stack(columns, dim=1)

    def _ranks(self, values_N: Tensor, valid_N: Tensor) -> Tensor:
        apart_N = torch.where(valid_N, self.group_N, self.num_groups)  # what is not valid, in a group of its own
        clean_N = torch.where(valid_N, values_N, 0.0)
        order_N = clean_N.argsort(stable=True)
        order_N = order_N[apart_N[order_N].argsort(stable=True)]
        group_N, sorted_N = apart_N[order_N], clean_N[order_N]
        begins_N = torch.ones_like(valid_N)
        begins_N[1:] = (sorted_N[1:] != sorted_N[:-1]) | (group_N[1:] != group_N[:-1])
        run_N = begins_N.cumsum(0) - 1  # samples of one group and value
        numbers_N = torch.arange(len(order_N), device=order_N.device, dtype=torch.float64)
        ones_N, none_N = torch.ones_like(numbers_N), torch.zeros_like(numbers_N)
        mean_N = none_N.index_add(0, run_N, numbers_N) / none_N.index_add(0, run_N, ones_N).clamp(min=1.0)
        sizes_G = numbers_N.new_zeros(self.num_groups + 1).index_add(0, group_N, ones_N)
        starts_G = sizes_G.cumsum(0) - sizes_G
        ranks_N = mean_N[run_N] - starts_G[group_N] + 1.0
        back_N = torch.empty_like(ranks_N).index_copy(0, order_N, ranks_N)
        return torch.where(valid_N, back_N, 0.0).to(values_N.dtype)
