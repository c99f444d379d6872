"""How the memory of a forward pass grows with the batch: the same call with the whole batch and with half of it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_leaves, tree_map

from hotloop.diagnose.live_storages import LiveStorages, SavedForBackward


@dataclass(frozen=True, kw_only=True)
class BatchGrowth:
    """Samples of the batch that was seen (0: unknown), bytes that each keeps for backward, and how that was found."""

    batch: int = 0
    bytes_per_sample: float = 0.0
    method: str = ""


def growth_with_the_batch(root: nn.Module, args: Any, kwargs: Any) -> BatchGrowth:
    """Call `root` twice more, with these arguments and with their first half. Changes its buffers and random streams.

    The batch is the first dimension of the first tensor; every tensor of that length there is cut. What autograd keeps
    is linear in the batch for all layers that treat samples alike, so two calls give the slope.
    """
    leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and leaf.dim() > 0]
    batch = leaves[0].shape[0] if leaves else 0
    if batch < 2:
        return BatchGrowth(batch=batch, method="the batch has fewer than two samples")

    def cut(leaf: Any) -> Any:
        is_batched = isinstance(leaf, Tensor) and leaf.dim() > 0 and leaf.shape[0] == batch
        return leaf[: batch // 2].clone() if is_batched else leaf  # a view would keep the whole batch

    try:
        half = _kept_bytes(root, *tree_map(cut, (args, kwargs)))
        whole = _kept_bytes(root, args, kwargs)
    except Exception as error:  # noqa: BLE001  # the program's own code, called in a way that it did not foresee
        return BatchGrowth(batch=batch, method=f"half a batch does not go through: {type(error).__name__}: {error}")
    if whole <= half:
        return BatchGrowth(batch=batch, method="half a batch keeps as much for backward as a whole one")
    return BatchGrowth(
        batch=batch,
        bytes_per_sample=(whole - half) / (batch - batch // 2),
        method=f"one forward pass with {batch} samples and one with {batch // 2}",
    )


def _kept_bytes(root: nn.Module, args: Any, kwargs: Any) -> int:
    """What one forward pass keeps for backward, parameters, buffers and the batch itself left out."""
    storages = LiveStorages()
    for tensor in (*root.parameters(), *root.buffers()):
        storages.add(tensor, "parameters")

    def note(tensor: Tensor) -> None:
        storages.add(tensor, "activations")

    saved = SavedForBackward(note)
    with torch.enable_grad(), saved_tensors_hooks(saved.pack, saved.unpack):
        output = root(*args, **kwargs)
    kept = storages.most["activations"]
    del output
    return kept
