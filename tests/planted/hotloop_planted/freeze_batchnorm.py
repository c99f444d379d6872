"""Batch-norm that no longer gathers statistics."""

from typing import ClassVar, Literal

from pydantic.dataclasses import dataclass
from torch import nn

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FreezeBatchNorm(Planted):
    """Puts batch-norm into eval mode, or leaves it training with momentum 0."""

    how: Literal["eval", "momentum"] = "eval"

    name: ClassVar[str] = "freeze_batchnorm"

    def apply(self, site: nn.Module) -> None:
        """Act on all batch-norm of one root."""
        for module in site.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                if self.how == "eval":
                    module.eval()
                else:
                    module.momentum = 0.0
