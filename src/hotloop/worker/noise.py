"""Noise on the weights of a model, which stands for the rounding of a precision."""

import weakref
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hotloop.worker.observed_tensors import local_part


def add_weight_noise(model: nn.Module, scale: float, seed: int, *, dtype: torch.dtype | None = None) -> None:
    """Multiply each floating parameter by 1 + scale times a standard normal, the same for the same seed.

    With `dtype`, the noise is drawn and the factor computed in it; otherwise the noise is drawn in float32, and the
    factor computed in the dtype of the parameter. A scale of 0 changes nothing.
    """
    if scale:
        parameters = (parameter for parameter in model.parameters() if parameter.is_floating_point())
        multiply_by_noise(parameters, scale, torch.Generator().manual_seed(seed), dtype=dtype)


def multiply_by_noise(
    tensors: Iterable[Tensor], scale: float, draw: torch.Generator, *, dtype: torch.dtype | None = None
) -> None:
    """The same for these tensors, with numbers of this generator; of a complex one both parts are multiplied."""
    for tensor in tensors:
        # by .data: a penalty on the weights may have used them already, and autograd must not see the change
        values = local_part(tensor.data)
        values = torch.view_as_real(values) if values.is_complex() else values
        noise = torch.randn(values.shape, generator=draw, dtype=dtype or torch.float32)
        values.mul_((1 + scale * noise.to(values.device, dtype or values.dtype)).to(values.dtype))


class StartingNoise:
    """Noise on what optimizers hold, put on before each tensor's first step; again where the program overwrites it."""

    def __init__(self, scale: float, seed: int) -> None:
        self._scale = scale
        self._draw = torch.Generator().manual_seed(seed)
        self._versions: dict[int, tuple[weakref.ref[Tensor], int | None]] = {}

    def put_on(self, tensors: Iterable[Tensor]) -> None:
        """Multiply those that have no noise yet, or were written to since."""
        for tensor in tensors if self._scale else ():
            known, version = self._versions.get(id(tensor), (None, -1))
            if known is None or known() is not tensor or version not in (None, tensor._version):
                multiply_by_noise([tensor], self._scale, self._draw)
                self._versions[id(tensor)] = weakref.ref(tensor), tensor._version

    def start_training(self, tensors: Iterable[Tensor]) -> None:
        """From here on these tensors change as they should; what has no noise yet gets it first."""
        tensors = list(tensors)
        self.put_on(tensors)
        self._versions.update({id(tensor): (weakref.ref(tensor), None) for tensor in tensors})
