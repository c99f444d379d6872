"""The channels_last memory format for convolutional models."""

from typing import TYPE_CHECKING, Any

from hotloop.errors import NotApplicable
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hotloop.compile.root_call import Call


class ChannelsLast(TransformBase):
    """Hands image batches to each root module in channels_last, which its layers keep. Other kernels, other rounding.

    The weights stay as they are, so that optimizer states, checkpoints and views of parameters are the plain program's;
    a convolution of such an image lays them out itself. Images come back contiguous.
    """

    name = "channels_last"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    roundoff = 2.0**-24

    def apply(self, site: "nn.Module") -> None:
        """Convert each 4-d input before the call of one root, and each 4-d output after it."""
        import torch

        from hotloop.compile.root_call import call_around

        images = [p for p in site.parameters() if p.dim() == 4]
        if not images:
            raise NotApplicable("the model has no 2-d convolution (no 4-d parameter)")
        if all(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in images):
            raise NotApplicable("the model is already in channels_last")
        around = _InChannelsLast()
        applied.append(around)
        call_around(site, around)

    def confirm(self) -> None:
        """An input of a root must have been converted."""
        if not any(around.has_converted for around in applied):
            raise NotApplicable("no root module was given an image batch (a 4-d tensor) that it could convert")


class _InChannelsLast:
    """What is around the calls of one root; `has_converted` once an input had other strides than it came with."""

    def __init__(self) -> None:
        self.has_converted = False

    def __call__(self, module: "nn.Module", call: "Call", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from hotloop.compile.containers import map_tensors

        args, kwargs = map_tensors((args, kwargs), self._converted)
        return map_tensors(call(*args, **kwargs), _contiguous)

    def _converted(self, value: "Tensor") -> "Tensor":
        import torch

        if value.dim() != 4:
            return value
        converted = value.to(memory_format=torch.channels_last)  # contiguous() would leave an image of one channel
        self.has_converted = self.has_converted or converted.stride() != value.stride()
        return converted


applied: list[_InChannelsLast] = []  # of this process; they hold no module


def _contiguous(value: "Tensor") -> "Tensor":
    import torch

    if value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last):
        return value.contiguous()
    return value
