"""The ranks of a run: processes that train one model, each on its part of every global batch."""

import inspect
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process is `rank` of `size`. With more than one the default process group of torch.distributed is there."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model in DistributedDataParallel, which takes the mean of all gradients; itself for one rank.

        A parameter that a batch does not use, such as those of the graph on days of one stock, has the gradient 0.
        """
        if self.size == 1:
            return model
        from torch.nn.parallel import DistributedDataParallel

        # torch 2.13 has a new name for this, and warns of the old one.
        known = inspect.signature(DistributedDataParallel.__init__).parameters
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
        settings: dict[str, Any] = {buffers: False, "find_unused_parameters": True}
        return DistributedDataParallel(model, **settings)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all ranks, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values

    def gathered(self, values: Tensor) -> list[Tensor]:
        """The tensors of all ranks, which have one shape and dtype."""
        if self.size == 1:
            return [values]
        found = [torch.empty_like(values) for _ in range(self.size)]
        torch.distributed.all_gather(found, values)
        return found

    def wait(self) -> None:
        """Go on when every rank has come here."""
        if self.size > 1:
            torch.distributed.barrier()


def without_exchange(network: nn.Module) -> AbstractContextManager[None]:
    """Backward in this context adds to the gradients of this rank alone."""
    from torch.nn.parallel import DistributedDataParallel

    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
