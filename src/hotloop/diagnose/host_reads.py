"""Kinds of host reads: which calls make the host wait for the device, what each is called, which rule it breaks."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hotloop.diagnose.call_sites import CallSite

CURES = {
    "SY01": "keep a sum on the device and read it once a report",
    "SY02": "leave it on the device; copy once a report",
    "SY03": "use torch.where or nan_to_num always, and count on the device",
    "SY04": "multiply by the mask, or use a form of fixed size (nonzero_static, output_size=)",
    "SY05": "one indexed operation (index_add_, scatter_reduce) in place of the Python loop",
    "SY06": "log every so many steps, and format only what is logged",
    "SY07": "torch._foreach_norm, stack, and one read for all parameters",
}
_CODES = {
    **dict.fromkeys(("item", "float", "int", "index"), "SY01"),
    **dict.fromkeys(("bool", "equal", "contains"), "SY03"),
    **dict.fromkeys(("cpu", "numpy", "tolist", "array", "to(cpu)", "copy to host"), "SY02"),
    "format": "SY06",
}
_METHODS: Mapping[Any, str] = {
    **{getattr(Tensor, name): name for name in ("item", "cpu", "numpy", "tolist", "equal")},
    **{
        getattr(Tensor, f"__{name}__"): name
        for name in ("float", "int", "index", "bool", "contains", "array", "format")
    },
    Tensor.__repr__: "format",
    torch.equal: "equal",
}
_aten = torch.ops.aten
_KERNELS: dict[Any, str] = {
    _aten._local_scalar_dense: "item",
    **{getattr(_aten, name): name for name in ("equal", "nonzero", "masked_select", "bincount")},
    **{
        getattr(_aten, name): "unique"
        for name in ("_unique2", "_unique", "unique_dim", "unique_consecutive", "unique_dim_consecutive")
    },
}


def function_kind(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """The kind of a call that reads by its very name; None for all others, whose kernels tell."""
    if func is Tensor.to and args:
        given = (kwargs.get("device"), *args[1:2])
        devices = [torch.device(value).type for value in given if isinstance(value, (str, torch.device))]
        return "to(cpu)" if "cpu" in devices else None
    return _METHODS.get(func)


def dispatched_kind(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """The kind of a kernel that the host must wait for."""
    packet = getattr(func, "overloadpacket", None)
    kind = _KERNELS.get(packet)
    if kind is not None:
        return kind
    if packet is _aten.index or packet is _aten.index_put or packet is _aten.index_put_:
        indices = args[1] if len(args) > 1 else ()
        has_mask = any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)
        # A mask that one number is written through is a fill of fixed size.
        fills = packet is not _aten.index and len(args) > 2 and isinstance(args[2], Tensor) and args[2].numel() == 1
        return "boolean mask" if has_mask and not fills else None
    if packet is _aten.repeat_interleave and func is not _aten.repeat_interleave.self_int:
        return "repeat_interleave" if kwargs.get("output_size") is None and len(args) < 2 else None
    if packet is _aten._to_copy or packet is _aten.copy_:
        return "copy to host" if _leaves_device(packet, args, kwargs) else None
    return None


def code_of(kind: str, site: CallSite) -> str:
    """The rule that a read of this kind breaks there."""
    if site.passes("/logging/") or site.calls("__format__", "__repr__", "_str"):
        return "SY06"
    if kind == "bool":
        return "SY03" if site.is_branch else "SY01"
    return _CODES.get(kind, "SY04")


def _leaves_device(packet: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    if packet is _aten.copy_:
        return args[0].device.type == "cpu" and args[1].device.type != "cpu"
    target = kwargs.get("device")
    return target is not None and torch.device(target).type == "cpu" and args[0].device.type != "cpu"
