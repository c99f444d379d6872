"""Validation of a growing network: once as it is, and once without each seed that is to be judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from hotloop.compile.eager import detached
from hotloop.train.metrics import Meter, read_together
from hotloop.workload import Strategy
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.shared_epochs import Batch


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Mean loss and accuracy in percent; `without` are the accuracies with the alpha of a slot at 0."""

    loss: float
    accuracy: float
    without: dict[str, float]


@torch.no_grad()
def validate(
    network: GrowingNetwork,
    strategy_of: Callable[[GrowingNetwork], Strategy],
    batches: Sequence[Batch],
    *,
    judged: Sequence[str] = (),
) -> Validation:
    """What the network is worth on `batches`, and without each of the slots `judged`. Reads the device once.

    Eval mode while it runs; the alphas are put back.
    """
    was_training = network.training
    network.eval()
    try:
        meters = [_meter(network, strategy_of, batches)]
        for name in judged:
            slot = network.slot(name)
            alpha = slot.alpha.clone()
            slot.alpha.zero_()
            try:
                meters.append(_meter(network, strategy_of, batches))
            finally:
                slot.alpha.copy_(alpha)
    finally:
        network.train(was_training)
    whole, *without = [totals.report() for totals in read_together(meters)]
    return Validation(
        loss=whole.loss,
        accuracy=100.0 * whole.metrics["accuracy"],
        without={name: 100.0 * report.metrics["accuracy"] for name, report in zip(judged, without, strict=True)},
    )


def _meter(
    network: GrowingNetwork, strategy_of: Callable[[GrowingNetwork], Strategy], batches: Sequence[Batch]
) -> Meter:
    meter, strategy = Meter(), strategy_of(network)
    for batch in batches:
        meter.add(detached(strategy.loss(network, batch)))
    return meter
