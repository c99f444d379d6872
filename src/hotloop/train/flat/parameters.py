"""Parameters of a module as views of one vector, so that a step touches one tensor instead of dozens."""

from operator import is_

import torch
from torch import Tensor, nn

from hotloop.errors import WorkloadError


class FlatParameters:
    """The trainable parameters of `module` moved into one vector `values`, their gradients into one vector `grads`.

    The parameters stay the same objects with the same shapes and memory formats; only their storage moves.
    `release` gives each its own storage again. Raises ValueError where there is nothing to train, or where dtypes or
    devices differ.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        first = _same_kind(self.parameters)
        size = sum(parameter.numel() for parameter in self.parameters)
        self.values = torch.empty(size, dtype=first.dtype, device=first.device)
        self.grads = torch.zeros_like(self.values)
        with torch.no_grad():
            for parameter, value, grad in zip(
                self.parameters, self.views(self.values), self.views(self.grads), strict=True
            ):
                value.copy_(parameter)
                parameter.data = value
                parameter.grad = grad
        self._addresses = [parameter.data_ptr() for parameter in self.parameters]

    def views(self, vector: Tensor) -> list[Tensor]:
        """Pieces of `vector`, shaped and strided like the parameters, in their order."""
        pieces = vector.split([parameter.numel() for parameter in self.parameters])
        is_dense = torch.ops.aten.is_non_overlapping_and_dense
        return [
            piece.as_strided(like.shape, like.stride()) if is_dense(like.data) else piece.view(like.shape)
            for piece, like in zip(pieces, self.parameters, strict=True)
        ]

    def check(self, module: nn.Module) -> None:
        """Raise WorkloadError where `module` no longer trains exactly these parameters in this memory."""
        now = [parameter for parameter in module.parameters() if parameter.requires_grad]
        same = len(now) == len(self.parameters) and all(map(is_, now, self.parameters))
        if not same or [parameter.data_ptr() for parameter in now] != self._addresses:
            raise WorkloadError(
                "the parameters that are trained, or their memory, changed between two epochs; a run of flat steps "
                "allows changes of their values in place only: freeze or move parameters between two runs"
            )

    def release(self) -> None:
        """Give each parameter a storage of its own again, and drop the gradients."""
        for parameter in self.parameters:
            parameter.grad = None
            parameter.data = parameter.detach().clone(memory_format=torch.preserve_format)


def _same_kind(parameters: list[nn.Parameter]) -> nn.Parameter:
    if not parameters:
        raise ValueError("the model has no parameter that requires gradients; there is nothing to train: unfreeze some")
    kinds = {(str(parameter.dtype), str(parameter.device)) for parameter in parameters}
    if len(kinds) > 1 or not parameters[0].is_floating_point():
        raise ValueError(
            f"the trainable parameters are of kinds {sorted(kinds)}; one floating dtype on one device is allowed: "
            "move the model with model.to(device=..., dtype=...)"
        )
    return parameters[0]
