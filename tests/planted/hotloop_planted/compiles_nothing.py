"""A compilation of something that is never called."""

from typing import ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import nn

from hotloop.transforms.compile import Compile
from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CompilesNothing(Planted):
    """Compiles a function beside the model; asks Dynamo whether anything was compiled, as compile does."""

    name: ClassVar[str] = "compiles_nothing"

    def apply(self, site: nn.Module) -> None:
        """Compile and forget."""
        torch.compile(lambda: site)

    def confirm(self) -> None:
        """Nothing ever is."""
        Compile().confirm()
