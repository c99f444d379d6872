"""The channels_last memory format for convolutional models."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from hotloop.errors import NotApplicable
from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ChannelsLast:
    """Keeps weights and image batches of each root module in channels_last. Other kernels, other rounding."""

    name: ClassVar[str] = "channels_last"
    stage: ClassVar[Stage] = Stage.MODULE
    affects_phases: ClassVar[tuple[str, ...]] = ("forward", "backward", "evaluation")
    promise: ClassVar[Promise] = Promise.CLOSE
    roundoff: ClassVar[float] = 2.0**-24

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one there is."""
        return (cls(),)

    def check(self, environment: Environment) -> None:
        """Every machine has it; the model decides."""

    def apply(self, site: "nn.Module") -> None:
        """Convert the weights in place and each 4-d input at the door."""
        import torch

        images = [p for p in site.parameters() if p.dim() == 4]
        if not images:
            raise NotApplicable("the model has no 2-d convolution (no 4-d parameter)")
        if all(p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous() for p in images):
            raise NotApplicable("the model is already in channels_last")
        site.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  # torch's stub lacks the overload
        site.register_forward_pre_hook(_convert_inputs)

    def confirm(self) -> None:
        """Conversion is in place; there is nothing that could have undone it unseen."""


def _convert_inputs(_module: "nn.Module", inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_convert(value) for value in inputs)


def _convert(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor) and value.dim() == 4:
        return value.contiguous(memory_format=torch.channels_last)
    return value
