"""Clipping, the guard against NaN and Adam as one operator, where a compiled kernel can take them."""

from collections.abc import Callable

import torch
from torch import Tensor

from hotloop.kernels.training import training_operators
from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.optimizer import BETA1, BETA2, EPS, FlatOptimizer

FusedUpdate = Callable[[Tensor, Tensor], Tensor]


def fused_update(optimizer: FlatOptimizer, clipping: Clipping, *, latch: bool) -> FusedUpdate | None:
    """The update as one operator; None where there is none: other devices, dtypes, optimizers, ways to clip.

    It is a function of the loss and `skip`, which becomes 1 where nothing was changed; it returns the loss, or NaN.
    """
    flat, moments = optimizer.flat, optimizer.moments
    if not flat.values.is_cpu or flat.values.dtype is not torch.float32 or optimizer.kind == "sgd":
        return None
    if clipping.value is not None or clipping.every > 1:
        return None
    operators = training_operators()
    if operators is None:
        return None
    operator, group = operators.training_update.default, optimizer.param_groups[0]
    tensors = (flat.values, flat.grads, moments[0], moments[1], optimizer.steps)
    constants = [BETA1, BETA2, EPS, group["weight_decay"]]
    max_norm, is_decoupled = clipping.norm or 0.0, optimizer.kind == "adamw"

    def update(loss: Tensor, skip: Tensor) -> Tensor:
        return operator(*tensors, skip, loss, max_norm, group["lr"], constants, is_decoupled, latch)

    return update
