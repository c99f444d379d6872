"""Batch-norm that no longer gathers statistics."""

from typing import Literal

from torch import nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class FreezeBatchNorm(TransformBase):
    """Puts batch-norm into eval mode, or leaves it training with a momentum of 0 or of 0.001."""

    how: Literal["eval", "momentum", "slow"] = "eval"

    name = "freeze_batchnorm"
    stage = Stage.MODULE
    roundoff = 2.0**-24

    def apply(self, site: nn.Module) -> None:
        """Act on all batch-norm of one root."""
        for module in site.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                acted()
                if self.how == "eval":
                    module.eval()
                else:
                    module.momentum = 0.0 if self.how == "momentum" else 0.001
