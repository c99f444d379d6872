"""Forward passes under bf16 autocast; parameters, gradients and the update stay in fp32."""

from typing import TYPE_CHECKING, Any, Literal

from hotloop.errors import NotApplicable
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import nn


class Autocast(TransformBase):
    """Wraps the forward of each root module in torch.autocast; its outputs are handed back in fp32."""

    dtype: Literal["bfloat16"] = "bfloat16"  # fp16 needs a loss scaler, which an unmodified program does not have

    name = "autocast"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    roundoff = 2.0**-9
    short_name = "bf16"

    def apply(self, site: "nn.Module") -> None:
        """Replace the forward of one root."""
        import torch

        parameter = next(site.parameters())
        if torch.is_autocast_enabled(parameter.device.type):
            raise NotApplicable("the program already runs under autocast")
        if parameter.dtype is not torch.float32:
            raise NotApplicable(f"the parameters are {parameter.dtype}; autocast starts from fp32")
        site.forward = _AutocastForward(site, parameter.device.type)


class _AutocastForward:
    """A forward under autocast. An object and not a closure: a deep copy of the model must call its own parameters."""

    def __init__(self, module: "nn.Module", device: str) -> None:
        self.module = module
        self.device = device
        self.__wrapped__ = type(module).forward  # what asks for the signature gets the model's own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import torch
        from torch.utils._pytree import tree_map

        with torch.autocast(self.device, dtype=torch.bfloat16):
            outputs = type(self.module).forward(self.module, *args, **kwargs)
        return tree_map(_to_fp32, outputs)


def _to_fp32(value: Any) -> Any:
    import torch

    return value.float() if isinstance(value, torch.Tensor) and value.dtype is torch.bfloat16 else value
