"""The channels_last memory format for convolutional models."""

from typing import TYPE_CHECKING, Any

from hotloop.errors import NotApplicable
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import nn


class ChannelsLast(TransformBase):
    """Keeps weights and image batches of each root module in channels_last. Other kernels, other rounding."""

    name = "channels_last"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    roundoff = 2.0**-24

    def apply(self, site: "nn.Module") -> None:
        """Convert the weights in place, and each 4-d input before the forward."""
        import torch

        images = [p for p in site.parameters() if p.dim() == 4]
        if not images:
            raise NotApplicable("the model has no 2-d convolution (no 4-d parameter)")
        if all(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in images):
            raise NotApplicable("the model is already in channels_last")
        site.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch's stub lacks the overload
        site.register_forward_pre_hook(_convert_inputs)


def _convert_inputs(_module: "nn.Module", inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_convert(value) for value in inputs)


def _convert(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor) and value.dim() == 4:
        return value.contiguous(memory_format=torch.channels_last)
    return value
