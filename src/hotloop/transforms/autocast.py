"""Forward passes under bf16 autocast; parameters, gradients and the update stay in fp32."""

from typing import TYPE_CHECKING, Any, Literal

from hotloop.errors import NotApplicable
from hotloop.transform import Stage, TransformBase

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hotloop.compile.root_call import Call

_CALLS_LOOKED_AT = 20
_NODES_LOOKED_AT = 10_000


class Autocast(TransformBase):
    """Calls each root module under torch.autocast; its outputs are handed back in fp32."""

    dtype: Literal["bfloat16"] = "bfloat16"  # fp16 needs a loss scaler, which an unmodified program does not have

    name = "autocast"
    stage = Stage.MODULE
    affects_phases = ("forward", "backward", "evaluation")
    roundoff = 2.0**-9
    short_name = "bf16"

    def apply(self, site: "nn.Module") -> None:
        """Put autocast around the calls of one root."""
        import torch

        from hotloop.compile.root_call import call_around

        parameter = next(site.parameters())
        if torch.is_autocast_enabled(parameter.device.type):
            raise NotApplicable("the program already runs under autocast")
        if parameter.dtype is not torch.float32:
            raise NotApplicable(f"the parameters are {parameter.dtype}; autocast starts from fp32")
        around = _UnderAutocast(parameter.device.type)
        applied.append(around)
        call_around(site, around)

    def confirm(self) -> None:
        """An operator of a root must have run in bf16."""
        if not any(around.ran_in_bf16 for around in applied):
            raise NotApplicable("no operator ran in bf16 under it")


class _UnderAutocast:
    """What is around the calls of one root; `ran_in_bf16` once its outputs, or what backward needs, were in bf16."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.ran_in_bf16 = False
        self._calls_left = _CALLS_LOOKED_AT

    def __call__(self, module: "nn.Module", call: "Call", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        from hotloop.compile.containers import generated_in, is_generator, map_tensors

        if torch.is_autocast_enabled(self.device):  # a root that has become part of another, or the program's own
            return call(*args, **kwargs)
        with self._context():
            outputs = call(*args, **kwargs)
        if is_generator(outputs):
            self.ran_in_bf16 = True
            return generated_in(self._context, outputs, lambda item: map_tensors(item, _to_fp32))
        if not self.ran_in_bf16 and self._calls_left:
            self._calls_left -= 1
            self.ran_in_bf16 = _is_computed_in_bf16(outputs)
        return map_tensors(outputs, _to_fp32)

    def _context(self) -> Any:
        import torch

        return torch.autocast(self.device, dtype=torch.bfloat16)


applied: list[_UnderAutocast] = []  # of this process; they hold no module


def _to_fp32(value: "Tensor") -> "Tensor":
    import torch

    return value.float() if value.dtype is torch.bfloat16 else value


def _is_computed_in_bf16(outputs: Any) -> bool:
    """Whether an output is in bf16, or a node of its autograd graph casts or has saved something in bf16."""
    import torch

    from hotloop.compile.containers import tensors_in

    found = tensors_in(outputs)
    if any(tensor.dtype is torch.bfloat16 for tensor in found):
        return True
    nodes = [tensor.grad_fn for tensor in found if tensor.grad_fn is not None]
    seen = set(nodes)
    while nodes and len(seen) < _NODES_LOOKED_AT:
        node: Any = nodes.pop()
        if "ToCopyBackward" in node.name() or "CompiledFunction" in node.name():
            return True
        following = [function for function, _ in node.next_functions if function is not None and function not in seen]
        seen.update(following)
        nodes.extend(following)
    return False
