"""The graph of a day: each stock hears those of its own day that are most like it.

N samples, D days, M places of the largest day, J neighbours, H units.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hotloop.models.panel.widened import widened

EDGE_FEATURES = 3
_LEAST_LENGTH, _BELOW = 1e-6, -1e3


class Days(NamedTuple):
    """Which sample is of which day: `group` (N) from 0 to `num_groups` - 1 and `place` (N) within the day, from 0.

    Samples of a day stand together, in the order of their places.
    `num_groups` and `largest`, the size of the largest day, are known on the host.
    """

    group: Tensor
    place: Tensor
    num_groups: int
    largest: int


class Neighbors(NamedTuple):
    """For each sample the numbers of its neighbours `source` (N, J), nearest first, `features` of the edges (N, J, 3),
    whether they exist, `is_there` (N, J), and the logarithm of that, `mask` (N, J): 0 or -inf.

    Features: cosine of both, difference of the logarithms of their lengths, place among the neighbours from 0 to 1.
    """

    source: Tensor
    features: Tensor
    is_there: Tensor
    mask: Tensor


@torch.no_grad()
def day_neighbors(keys_NH: Tensor, days: Days, *, most: int, order_J: Tensor | None = None) -> Neighbors:
    """The `most` nearest by cosine among the others of a sample's day, or as many as the largest day has; nothing read.

    `order_J` are the places of `most` neighbours from 0 to 1, for a caller that keeps them. Smaller days have edges
    that do not exist. Takes D x M^2 numbers for the cosines.
    """
    largest, count = days.largest, min(most, days.largest - 1)
    keys_NH = widened(keys_NH)
    length_N1 = torch.linalg.vector_norm(keys_NH, dim=1, keepdim=True).clamp_(min=_LEAST_LENGTH)
    cells_N, num_cells = torch.add(days.place, days.group, alpha=largest), days.num_groups * largest
    # Cells hold unit vectors and, last, a mark: 0, or 1 for a cell without a sample, which is far below any cosine.
    units_NI = functional.pad(keys_NH / length_N1, (0, 1))
    cells_CI = keys_NH.new_ones(num_cells, keys_NH.shape[1] + 1).index_copy_(0, cells_N, units_NI)
    unit_DMH, mark_DM1 = cells_CI.view(days.num_groups, largest, -1).tensor_split([keys_NH.shape[1]], dim=2)
    unit_DHM, mark_D1M = unit_DMH.transpose(1, 2), mark_DM1.transpose(1, 2)
    cosine_DMM = torch.baddbmm(mark_D1M, unit_DMH, unit_DHM, beta=_BELOW)
    cosine_NM = cosine_DMM.flatten(0, 1).index_select(0, cells_N).scatter_(1, days.place.unsqueeze(1), _BELOW)
    nearest_NJ, place_NJ = cosine_NM.topk(count, dim=1)
    first_N = torch.arange(len(cells_N), device=cells_N.device) - days.place
    # An edge that does not exist leads somewhere in the batch.
    source_NJ = place_NJ.add_(first_N.unsqueeze(1)).clamp_(max=len(cells_N) - 1)
    lengths_NJ = (length_N1.squeeze(1)[source_NJ] / length_N1).log_()
    if order_J is None or count < most:
        order_J = torch.linspace(0.0, 1.0, count, device=cells_N.device)
    features_NJ3 = torch.stack([nearest_NJ, lengths_NJ, order_J.expand_as(nearest_NJ)], -1)
    is_there_NJ = nearest_NJ > _BELOW / 2
    return Neighbors(source_NJ, features_NJ3, is_there_NJ, is_there_NJ.log())
