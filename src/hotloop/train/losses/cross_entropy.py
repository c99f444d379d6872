"""Cross entropy as a mean whose weight is known, so that batches add up."""

import torch
from torch import Tensor, nn

from hotloop.workload import Loss

# N items, C classes


def weighted_cross_entropy(
    logits_NC: Tensor, targets_N: Tensor, *, class_weights: Tensor | None = None, ignore_index: int = -100
) -> Loss:
    """The weighted mean over items that are not ignored, their summed weight, and the metric `accuracy` likewise.

    Weights are 1, or those of the targets' classes, float (C,). Everything stays on the device.
    """
    is_kept_N = targets_N != ignore_index
    total = nn.functional.cross_entropy(
        logits_NC, targets_N, weight=class_weights, ignore_index=ignore_index, reduction="sum"
    )
    is_right_N = (logits_NC.detach().argmax(1) == targets_N) & is_kept_N
    if class_weights is None:
        count, right = is_kept_N.sum(), is_right_N.sum()
    else:
        weights_N = class_weights.detach()[targets_N.where(is_kept_N, 0)] * is_kept_N
        count, right = weights_N.sum(), (weights_N * is_right_N).sum()
    divisor = torch.where(count > 0, count, 1)  # nothing counted: 0 / 1, which weighs nothing
    return Loss(total / divisor, count, {"accuracy": (right / divisor).to(total.dtype)})
