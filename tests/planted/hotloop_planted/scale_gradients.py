"""Every gradient a little too large, by a transform that takes nothing from hotloop but the protocol."""

from dataclasses import dataclass
from typing import Self

from torch import nn

from hotloop.measurement import Environment
from hotloop.transform import Promise, Stage
from hotloop_planted.acted import acted


@dataclass(frozen=True, kw_only=True)
class ScaleGradients:
    """Multiplies each gradient by `factor`."""

    factor: float = 1.05

    name = "scale_gradients"
    stage = Stage.MODULE
    promise = Promise.CLOSE
    roundoff = 2.0**-24

    @classmethod
    def candidates(cls, environment: Environment) -> tuple[Self, ...]:
        """The one with the default factor."""
        return (cls(),)

    def check(self, environment: Environment) -> None:
        """Every machine will do."""

    def apply(self, site: nn.Module) -> None:
        """Hook every parameter."""
        for parameter in site.parameters():
            acted()
            parameter.register_hook(lambda gradient: gradient * self.factor)

    def confirm(self) -> None:
        """Nothing to look at."""
