"""A transform under which the program cannot run."""

from typing import Any

from torch import nn

from hotloop.transform import Stage, TransformBase


class Crashes(TransformBase):
    """Raises inside the first forward."""

    name = "crashes"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Hook one root."""
        site.register_forward_pre_hook(_refuse)


def _refuse(_module: nn.Module, _inputs: tuple[Any, ...]) -> None:
    raise ArithmeticError("planted: this forward always fails")
