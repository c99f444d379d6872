"""How raw outputs become actions: one transform on the last dimension."""

from collections.abc import Callable

import torch
from torch import Tensor

from hotloop.train.episodes.options import Primary

_TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda outputs: outputs,
    "softmax": lambda outputs: torch.softmax(outputs, -1),
    "tanh": torch.tanh,
}


def transform_named(primary: Primary) -> Callable[[Tensor], Tensor]:
    """The transform of outputs (..., M) into actions of the same shape. Raises ValueError for another name."""
    if primary not in _TRANSFORMS:
        raise ValueError(f"got the primary transform {primary!r}; allowed are {', '.join(_TRANSFORMS)}: name one")
    return _TRANSFORMS[primary]


def back_through(primary: Primary, grads: Tensor, actions: Tensor) -> Tensor:
    """The gradient of the outputs, given `actions` and theirs."""
    if primary == "identity":
        return grads
    if primary == "tanh":
        return torch.ops.aten.tanh_backward.default(grads, actions)
    return torch.ops.aten._softmax_backward_data.default(grads, actions, -1, actions.dtype)


def as_rows(outputs: object) -> Tensor:
    """The outputs of a network on rows, as (rows, M): the first of a tuple, a column for 1-D, flattened above 2-D."""
    if isinstance(outputs, tuple) and outputs:
        outputs = outputs[0]
    if not isinstance(outputs, Tensor):
        raise TypeError(
            f"the model returned a {type(outputs).__name__}; a tensor, or a tuple whose first item is one, is allowed: "
            "wrap the model so that it returns its outputs first"
        )
    if outputs.ndim == 2:
        return outputs
    return outputs.unsqueeze(-1) if outputs.ndim < 2 else outputs.flatten(1)
