"""A batch taken apart: its tensors are inputs of a captured step, the rest is constant in its graph and is the key."""

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.errors import NotApplicable

_CONSTANTS = (bool, int, float, str, bytes, type(None), torch.dtype, torch.device)


def take_apart(batch: Any) -> tuple[list[Tensor], Hashable]:
    """The tensors of a batch, and the key under which one captured graph fits it.

    Lists, tuples and dicts may be nested. Raises NotApplicable for anything else that is not a tensor or plain value.
    """
    kind = type(batch)
    # Plain pairs are what tight loops use; walking them here costs a tenth of what pytree does.
    if (kind is tuple or kind is list) and all(type(leaf) is Tensor for leaf in batch):
        return list(batch), (kind, *[_facts(leaf) for leaf in batch])
    leaves, shape = pytree.tree_flatten(batch)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    return tensors, (shape, *[_facts(leaf) if isinstance(leaf, Tensor) else _constant(leaf) for leaf in leaves])


def put_together(batch: Any, tensors: list[Tensor]) -> Any:
    """A batch of the same structure with `tensors` in place of its own."""
    leaves, shape = pytree.tree_flatten(batch)
    rest = iter(tensors)
    return pytree.tree_unflatten([next(rest) if isinstance(leaf, Tensor) else leaf for leaf in leaves], shape)


def _facts(tensor: Tensor) -> Hashable:
    return tensor.shape, tensor.stride(), tensor.dtype, tensor.device, tensor.requires_grad


def _constant(leaf: Any) -> Hashable:
    if isinstance(leaf, _CONSTANTS):
        # 1 == True == 1.0, and the graph has one of them as its constant.
        return type(leaf), leaf
    raise NotApplicable(
        f"a batch holds a {type(leaf).__qualname__}, which a captured step cannot take as input; "
        "allowed are tensors and plain values in tuples, lists and dicts: take it apart in the DataLoader's collate_fn"
    )
