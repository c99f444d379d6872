"""The graph of a day: each stock hears those of its own day that are most like it.

N samples, D days, M places of the largest day, J neighbours, H units.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

EDGE_FEATURES = 3


class Days(NamedTuple):
    """Which sample is of which day: `group` (N) from 0 to `num_groups` - 1 and `place` (N) within the day, from 0.

    `num_groups` and `largest`, the size of the largest day, are known on the host.
    """

    group: Tensor
    place: Tensor
    num_groups: int
    largest: int


class Neighbors(NamedTuple):
    """For each sample the numbers of its neighbours `source` (N, J), nearest first, `features` of the edges (N, J, 3)
    and whether they exist, `is_there` (N, J).

    Features: cosine of both, difference of the logarithms of their lengths, place among the neighbours from 0 to 1.
    """

    source: Tensor
    features: Tensor
    is_there: Tensor


@torch.no_grad()
def day_neighbors(keys_NH: Tensor, days: Days, *, most: int) -> Neighbors:
    """The `most` nearest by cosine among the others of a sample's day, or as many as the largest day has; nothing read.

    Smaller days have edges that do not exist. Takes D x M^2 numbers for the cosines.
    """
    largest, count = days.largest, min(most, days.largest - 1)
    keys_NH = keys_NH.float()
    log_length_N = keys_NH.norm(dim=1).clamp(min=1e-6).log()
    cells_N = days.group * largest + days.place
    num_cells = days.num_groups * largest
    unit_CH = keys_NH.new_zeros(num_cells, keys_NH.shape[1]).index_copy(0, cells_N, functional.normalize(keys_NH))
    unit_DMH = unit_CH.view(days.num_groups, largest, -1)
    number_N = torch.arange(len(cells_N), device=cells_N.device)
    number_C = cells_N.new_full((num_cells,), -1).index_copy(0, cells_N, number_N)
    is_itself_MM = torch.eye(largest, dtype=torch.bool, device=cells_N.device)
    is_none_DMM = (number_C < 0).view(days.num_groups, 1, largest) | is_itself_MM
    cosine_DMM = (unit_DMH @ unit_DMH.transpose(1, 2)).masked_fill(is_none_DMM, -2.0)
    nearest_DMJ, place_DMJ = cosine_DMM.topk(count, dim=2)
    nearest_NJ = nearest_DMJ.flatten(0, 1).index_select(0, cells_N)
    place_NJ = place_DMJ.flatten(0, 1).index_select(0, cells_N)
    is_there_NJ = nearest_NJ > -1.5
    source_NJ = number_C[(days.group * largest).unsqueeze(1) + place_NJ].clamp(min=0)
    lengths_NJ = log_length_N[source_NJ] - log_length_N.unsqueeze(1)
    order_J = torch.linspace(0.0, 1.0, count, device=cells_N.device)
    return Neighbors(source_NJ, torch.stack([nearest_NJ, lengths_NJ, order_J.expand_as(nearest_NJ)], -1), is_there_NJ)
