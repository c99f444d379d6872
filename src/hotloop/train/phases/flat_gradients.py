"""The gradients of an optimizer's parameters as one flat vector, and back."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from hotloop.errors import PhaseError


class FlatGradients:
    """Maps the gradients of all parameters of `optimizer`, in the order of its groups, to float32 vectors.

    Names are those that the optimizer was given (`SGD(model.named_parameters())`), else the numbers of the parameters.
    Raises ValueError for parameters on several devices or that are not real floating numbers.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self.parameters: list[Tensor] = list(_parameters(optimizer))
        names = list(chain.from_iterable(group.get("param_names", ()) for group in optimizer.param_groups))
        self.names = names if len(names) == len(self.parameters) else [str(n) for n in range(len(self.parameters))]
        devices = {str(parameter.device) for parameter in self.parameters}
        dtypes = {str(p.dtype) for p in self.parameters if not p.is_floating_point()}
        if len(devices) != 1 or dtypes:
            raise ValueError(
                f"the parameters are on {', '.join(sorted(devices))}{' with ' if dtypes else ''}{', '.join(dtypes)}; "
                "one device and real floating dtypes are allowed: give each device an optimizer of its own"
            )
        self.device = self.parameters[0].device
        self.size = sum(parameter.numel() for parameter in self.parameters)
        self._is_absent = [False] * len(self.parameters)

    def views(self, flat: Tensor) -> list[Tensor]:
        """Pieces of `flat`, shaped like the parameters."""
        pieces = flat.split([parameter.numel() for parameter in self.parameters])
        return [piece.view(parameter.shape) for piece, parameter in zip(pieces, self.parameters, strict=True)]

    def by_name(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of `flat` under the names of the parameters."""
        return dict(zip(self.names, self.views(flat), strict=True))

    def gather(self, flat: Tensor) -> Tensor:
        """Copy all gradients to `flat`; one that is None is zeros, and is remembered as absent.

        Raises PhaseError where no parameter has one or parameters were added, ValueError for a sparse gradient.
        """
        now = sum(len(group["params"]) for group in self._optimizer.param_groups)
        if now != len(self.parameters):
            raise PhaseError(
                f"the optimizer has {now} parameters, {len(self.parameters)} when training began; "
                "build a new PhaseTrainer after add_param_group"
            )
        grads = [parameter.grad for parameter in self.parameters]
        present = [grad for grad in grads if grad is not None]
        if not present:
            raise PhaseError("no parameter has a gradient; call backward before the end of a step that needs it")
        if any(grad.is_sparse for grad in present):
            raise ValueError("a gradient is sparse, and only dense ones can be predicted; build it with sparse=False")
        self._is_absent = [grad is None for grad in grads]
        views = self.views(flat)
        if len(present) < len(grads):
            flat.zero_()
            views = [view for view, grad in zip(views, grads, strict=True) if grad is not None]
        torch._foreach_copy_(views, present)  # pyright: ignore[reportPrivateUsage]
        return flat

    def copy_from(self, gradients: Mapping[str, Tensor], flat: Tensor) -> Tensor:
        """Copy gradients by name to `flat`. Raises ValueError where names or shapes are not those of the parameters."""
        views = self.by_name(flat)
        if set(gradients) != set(views):
            missing, unknown = sorted(set(views) - set(gradients)), sorted(set(gradients) - set(views))
            raise ValueError(f"gradients lack {missing} and have the unknown {unknown}; give one for each parameter")
        for name, view in views.items():
            if gradients[name].shape != view.shape:
                raise ValueError(
                    f"{name}: got a gradient of shape {tuple(gradients[name].shape)}, its parameter has "
                    f"{tuple(view.shape)}; they must be equal"
                )
            view.copy_(gradients[name])
        return flat

    def scatter(self, flat: Tensor) -> None:
        """Make pieces of `flat` the gradients of the parameters, but for those that were absent at the last gather.

        A float32 parameter gets a view, any other a copy in its own dtype.
        """
        for parameter, view, is_absent in zip(self.parameters, self.views(flat), self._is_absent, strict=True):
            parameter.grad = None if is_absent else view.to(parameter.dtype)

    def add(self, flat: Tensor, *, scale: float) -> None:
        """Add `scale` times the pieces of `flat` to the gradients that there are."""
        for parameter, view in zip(self.parameters, self.views(flat), strict=True):
            if parameter.grad is not None:
                parameter.grad.add_(view.to(parameter.dtype), alpha=scale)

    def state_dict(self) -> dict[str, Any]:
        """Names and shapes, and which gradients were absent."""
        shapes = [list(parameter.shape) for parameter in self.parameters]
        return {"names": list(self.names), "shapes": shapes, "is_absent": list(self._is_absent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the absent ones. Raises ValueError where the parameters are not the same."""
        own = self.state_dict()
        if any(state[part] != own[part] for part in ("names", "shapes")):
            raise ValueError(
                f"the state is of the parameters {state['names']} with shapes {state['shapes']}, this optimizer has "
                f"{own['names']} with {own['shapes']}; continue with the same model and order"
            )
        self._is_absent = list(state["is_absent"])


def _parameters(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]
