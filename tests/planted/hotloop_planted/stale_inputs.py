"""Yesterday's inputs with today's targets."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass
from torch import nn

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StaleInputs(Planted):
    """Feeds each root the inputs of the call before; the first call gets its own."""

    name: ClassVar[str] = "stale_inputs"

    def apply(self, site: nn.Module) -> None:
        """Hook the door of one root."""
        last: list[tuple[Any, ...]] = []

        def late(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            last.append(inputs)
            return last.pop(0) if len(last) > 1 else inputs

        site.register_forward_pre_hook(late)
