"""Backwards that are written out."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Backward = Callable[..., Tensor | tuple[Tensor | None, ...]]


def written_out(backward: Backward) -> Backward:
    """The same backward, which cannot be differentiated again, in the dtypes it is given, also inside of autocast."""

    @once_differentiable
    @wraps(backward)
    def without_autocast(ctx: Any, *grads: Tensor) -> Tensor | tuple[Tensor | None, ...]:
        with torch.autocast(grads[0].device.type, enabled=False):
            return backward(ctx, *grads)

    return without_autocast
