"""Yesterday's inputs with today's targets."""

from typing import Any

from torch import nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class StaleInputs(TransformBase):
    """Feeds each root the inputs of the call before; the first call gets its own."""

    name = "stale_inputs"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Hook the door of one root."""
        last: list[tuple[Any, ...]] = []

        def late(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            last.append(inputs)
            if len(last) < 2:
                return inputs
            acted()
            return last.pop(0)

        site.register_forward_pre_hook(late)
