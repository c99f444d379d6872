"""Classification: one class a sample, however many axes the logits have."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop.train.losses.cross_entropy import weighted_cross_entropy
from hotloop.workload import Loss


class Classification:
    """Cross entropy of logits (B, C, ...) against classes (B, ...), for batches that are pairs (inputs, targets).

    The mean is over the targets that differ from `ignore_index`; with `class_weights` (C,) it is weighted by those of
    the targets, whose sum is then what is counted, so that batches of any sizes add up to one batch of everything. The
    metric `accuracy` is a mean with the same weights. A batch in which nothing counts has loss 0 and weight 0.
    """

    name: ClassVar[str] = "classification"

    def __init__(self, *, class_weights: Tensor | None = None, ignore_index: int = -100) -> None:
        self._class_weights, self._ignore_index = class_weights, ignore_index

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """The loss of one batch; nothing is read from the device."""
        inputs, targets = batch
        logits: Tensor = model(inputs)
        flat = logits if logits.dim() == 2 else torch.movedim(logits, 1, -1).reshape(-1, logits.shape[1])
        return weighted_cross_entropy(
            flat, targets.reshape(-1), class_weights=self._class_weights, ignore_index=self._ignore_index
        )
