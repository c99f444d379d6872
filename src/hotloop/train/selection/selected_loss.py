"""The loss of a batch, over the examples that a sampler selects."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hotloop.train.selection.selective_sampler import SelectiveSampler


def selected_loss(
    sampler: SelectiveSampler, indices: Sequence[int] | Tensor, losses_of: Callable[[Tensor | slice], Tensor]
) -> Tensor:
    """The loss to differentiate. `losses_of(rows)` gives one loss for each of those rows of the batch.

    Where the sampler selects within batches, the whole batch runs forward without a graph first, and the rows that are
    selected once more; else there is one forward. The sum is divided by the number of rows of the batch for
    "threshold", whose other rows have next to no loss, and by that of the selected ones for "pool".
    """
    everything = slice(None)
    if not sampler.selects_in_batch:
        losses = losses_of(everything)
        sampler.record(indices, losses)
        return losses.mean()
    with torch.no_grad():
        losses = losses_of(everything)
    sampler.record(indices, losses)
    return sampler.reduce(losses_of(sampler.select(losses)), num_rows=len(losses))
