"""Every gradient a little too large."""

from typing import ClassVar

from pydantic.dataclasses import dataclass
from torch import nn

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ScaleGradients(Planted):
    """Multiplies each gradient by `factor`."""

    factor: float = 1.05

    name: ClassVar[str] = "scale_gradients"

    def apply(self, site: nn.Module) -> None:
        """Hook every parameter."""
        for parameter in site.parameters():
            parameter.register_hook(lambda gradient: gradient * self.factor)
