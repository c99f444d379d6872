"""A transform under which the program cannot run."""

from typing import Any, ClassVar

from pydantic.dataclasses import dataclass
from torch import nn

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Crashes(Planted):
    """Raises inside the first forward."""

    name: ClassVar[str] = "crashes"

    def apply(self, site: nn.Module) -> None:
        """Hook one root."""
        site.register_forward_pre_hook(_refuse)


def _refuse(_module: nn.Module, _inputs: tuple[Any, ...]) -> None:
    raise ArithmeticError("planted: this forward always fails")
