"""A hidden layer gets more units in the middle of training: function and optimizer state of what was there stay."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hotloop.errors import WorkloadError


def widen(before: nn.Linear, after: nn.Linear, units: int, optimizer: Optimizer) -> None:
    """Give the layer between `before` and `after` so many more units, in place.

    The new units are drawn as nn.Linear draws its own and count for nothing at first: `after` has zeros for them, and
    the outputs stay the same, where what lies between the two maps each unit by itself. The state that the optimizer
    has of the two goes on, with zeros for what is new; step counters stay.
    Raises WorkloadError for fewer than one unit, and for layers that do not fit each other.
    """
    if units < 1 or after.in_features != before.out_features:
        raise WorkloadError(
            f"got {units} units between a layer of {before.out_features} outputs and one of {after.in_features} "
            "inputs; give two layers that follow each other and at least one unit"
        )
    drawn = nn.Linear(before.in_features, units).to(before.weight)
    _extend(before, "weight", drawn.weight.detach(), 0, optimizer)
    if getattr(before, "bias", None) is not None:
        _extend(before, "bias", drawn.bias.detach(), 0, optimizer)
    _extend(after, "weight", after.weight.new_zeros(after.out_features, units), 1, optimizer)
    before.out_features += units
    after.in_features += units


def _extend(layer: nn.Linear, name: str, more: Tensor, dim: int, optimizer: Optimizer) -> None:
    """Put a larger parameter in the place of one, in the layer and in the optimizer."""
    old: nn.Parameter = getattr(layer, name)
    new = nn.Parameter(torch.cat([old.detach(), more], dim), requires_grad=old.requires_grad)
    setattr(layer, name, new)
    for group in optimizer.param_groups:
        group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
    state = optimizer.state.pop(old, None)
    if state is not None:
        optimizer.state[new] = {
            key: torch.cat([value, torch.zeros_like(more, dtype=value.dtype)], dim) if _is_of(value, old) else value
            for key, value in state.items()
        }


def _is_of(value: object, parameter: Tensor) -> bool:
    """Whether it has a number for each element, as momentum has and a step counter has not."""
    return isinstance(value, Tensor) and value.shape == parameter.shape and value.dim() > 0
