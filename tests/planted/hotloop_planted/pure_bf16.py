"""Parameters kept in bf16, so that small updates are lost."""

from typing import Any, ClassVar

import torch
from pydantic.dataclasses import dataclass
from torch import nn

from hotloop_planted.shape import STRICT, Planted


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PureBF16(Planted):
    """Casts the model and its inputs to bf16 and its outputs back."""

    name: ClassVar[str] = "pure_bf16"
    roundoff: ClassVar[float] = 2.0**-9

    def apply(self, site: nn.Module) -> None:
        """Cast one root."""
        site.bfloat16()
        site.register_forward_pre_hook(lambda _module, inputs: tuple(_cast(value) for value in inputs))
        site.register_forward_hook(lambda _module, _inputs, output: output.float())


def _cast(value: Any) -> Any:
    return value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
