"""Tensors reduced to a few numbers: 2-norms, and sketches, which also tell where a change landed."""

import weakref
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

SKETCH = 16
_FEW = 8
NO_GRADIENT = -1.0  # in place of a norm: no gradient at all is not the same as a zero one


class KnownTensors:
    """Tensors that have been met, told by identity: another tensor may get the id of one that is gone."""

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[Tensor]] = {}

    def __contains__(self, tensor: Tensor) -> bool:
        known = self._known.get(id(tensor))
        return known is not None and known() is tensor

    def add(self, tensor: Tensor) -> None:
        """From now on it is known, and one that had its id before is not."""
        self._known[id(tensor)] = weakref.ref(tensor)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()


def norm(tensor: Tensor | None) -> float:
    """The 2-norm in float64; NO_GRADIENT for None."""
    if tensor is None:
        return NO_GRADIENT
    return _elements(tensor.coalesce().values() if tensor.is_sparse else tensor).norm().item()


def sketch(tensor: Tensor | None, name: str) -> list[float]:
    """Sixteen sums over the elements with random signs, equal for equal names and shapes; none for None.

    Products of sketches estimate products of tensors (Charikar, Chen, Farach-Colton 2002, "Finding frequent items"),
    so that the sketch of a difference is as long as the difference. Elements count in the order of their indices,
    whatever the strides.
    """
    if tensor is None:
        return []
    flat = _elements(tensor.to_dense() if tensor.is_sparse else tensor)
    if not len(flat):
        return [0.0] * SKETCH
    draw = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    signs = torch.randint(0, 2, flat.shape, generator=draw, dtype=torch.int8)
    signed = flat * (2 * signs - 1).to(flat.device)
    return nn.functional.pad(signed, (0, -len(signed) % SKETCH)).view(-1, SKETCH).sum(0).tolist()


def share_not_zero(tensors: Sequence[Tensor]) -> float:
    """The share of all elements that are not zero."""
    parts = [local_part(tensor) for tensor in tensors]
    elements = sum(part.numel() for part in parts)
    return sum(int(part.count_nonzero()) for part in parts) / max(elements, 1)


def share_short(tensor: Tensor | None) -> float:
    """The share of its elements but zeros that bf16 or fp16 can hold, whichever is larger; 0 where there are few."""
    if tensor is None or tensor.is_sparse:
        return 0.0
    elements = _elements(tensor)
    elements = elements[elements != 0]
    if len(elements) < _FEW:
        return 0.0
    return max(
        (elements.to(dtype).double() == elements).double().mean().item() for dtype in (torch.bfloat16, torch.float16)
    )


def can_be_followed(tensor: Tensor) -> bool:
    """Whether it holds real or complex numbers already: a lazy parameter does not before it is materialized."""
    return (tensor.is_floating_point() or tensor.is_complex()) and not nn.parameter.is_lazy(tensor)


def local_part(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor that is sharded over ranks (a DTensor); any other tensor as it is.

    Each rank is looked at by itself: what is computed of a whole DTensor exchanges messages of its own.
    """
    to_local = getattr(tensor, "to_local", None)
    return tensor if to_local is None else to_local()


def _elements(tensor: Tensor) -> Tensor:
    values = local_part(tensor.detach())
    if values.is_complex():
        values = torch.view_as_real(values.resolve_conj())
    return values.double().flatten()
