"""Parameters kept in bf16, so that small updates are lost."""

from typing import Any

import torch
from torch import nn

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class PureBF16(TransformBase):
    """Casts the model and its inputs to bf16 and its outputs back."""

    name = "pure_bf16"
    stage = Stage.MODULE
    roundoff = 2.0**-9

    def apply(self, site: nn.Module) -> None:
        """Cast one root."""
        acted()
        site.bfloat16()
        site.register_forward_pre_hook(lambda _module, inputs: tuple(_cast(value) for value in inputs))
        site.register_forward_hook(lambda _module, _inputs, output: output.float())


def _cast(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
