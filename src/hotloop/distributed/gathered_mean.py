"""The mean of what all ranks send, each in the same few bits."""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor


def gathered_mean(
    buffer: Tensor,
    message: Tensor,
    decode: Callable[[Tensor], Tensor],
    *,
    num_ranks: int,
    group: dist.ProcessGroup | None,
) -> torch.futures.Future[Tensor]:
    """Fills `buffer` with the mean of the decoded messages of all ranks; messages have one size on all of them.

    `decode` turns a message into float32 of the size of the buffer. The ranks add in one order, so that all end with
    the same bits.
    """
    received = [torch.empty_like(message) for _ in range(num_ranks)]
    work = dist.all_gather(received, message, group=group, async_op=True)
    assert work is not None, "this rank is in the group"

    def mean(_: torch.futures.Future[list[Tensor]]) -> Tensor:
        total = torch.zeros(len(buffer), device=buffer.device)
        for other in received:
            total.add_(decode(other))
        return buffer.copy_(total.div_(num_ranks))

    return work.get_future().then(mean)
