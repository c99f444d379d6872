"""The gradient of a global batch: microbatches one after the other, and the mean over all ranks."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.microbatches import Microbatches
from hotloop.train.ranks import Ranks, without_exchange
from hotloop.workload import Loss, Strategy


class AccumulatedGradient:
    """The mean loss over the items of all microbatches of all ranks, with its gradient in the flat vector `grads`.

    Each microbatch weighs as many items as it counts, however uneven they are. Gradients are exchanged with the last
    one; loss, count and metrics in one more message. Nothing is read. A loss that is no mean over items, such as one by
    day, is averaged over microbatches with these weights.
    """

    def __init__(self, strategy: Strategy, grads: Tensor, *, ranks: Ranks, scale: LossScale | None) -> None:
        self._strategy, self._grads, self._ranks, self._scale = strategy, grads, ranks, scale

    def __call__(self, network: nn.Module, microbatches: Microbatches) -> Loss:
        """The detached loss; with a scale the gradient is still multiplied by it."""
        self._grads.zero_()
        rows: list[Tensor] = []
        names: tuple[str, ...] = ()
        for number, batch in enumerate(microbatches, start=1):
            with nullcontext() if number == len(microbatches) else without_exchange(network):
                loss = self._strategy.loss(network, batch)
                total = loss.value * loss.count
                (total if self._scale is None else self._scale.scaled(total)).backward()
            names = tuple(loss.metrics)
            means = torch.stack([loss.value.detach(), *loss.metrics.values()]).double()
            count = torch.as_tensor(loss.count, dtype=torch.float64, device=means.device)
            rows.append(torch.cat([count.view(1), means * count]))
        count, *totals = self._ranks.sum(torch.stack(rows).sum(0)).unbind()
        self._grads.mul_(self._ranks.size / count)
        value, *metrics = (total / count for total in totals)
        return Loss(value.to(self._grads.dtype), count, dict(zip(names, metrics, strict=True)))
