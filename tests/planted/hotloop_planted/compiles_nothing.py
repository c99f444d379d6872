"""A compilation of something that is never called."""

import torch
from torch import nn

from hotloop.transform import Stage, TransformBase
from hotloop.transforms.compile import Compile


class CompilesNothing(TransformBase):
    """Compiles a function beside the model; asks Dynamo whether anything was compiled, as compile does."""

    name = "compiles_nothing"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Compile and forget."""
        torch.compile(lambda: site)

    def confirm(self) -> None:
        """Nothing ever is."""
        Compile().confirm()
