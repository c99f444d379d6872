"""Supervised learning: inputs and targets, one loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hotloop.workload import Loss

Score = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """Loss of `model(inputs)` against `targets`, for batches that are pairs (inputs, targets).

    `criterion` returns a mean over the samples; with `ignore_index`, over the targets that differ from it, which are
    then what is counted. `metrics` are further scores of (outputs, targets), each a mean over the same items.
    With `autocast` the model, and only it, runs in that dtype.
    """

    name: ClassVar[str] = "supervised"
    criterion: Score
    ignore_index: int | None = None
    metrics: Mapping[str, Score] = field(default_factory=dict[str, Score])
    autocast: torch.dtype | None = None

    def loss(self, model: nn.Module, batch: Any) -> Loss:
        """The loss of one batch; the count of ignored targets stays on the device."""
        inputs, targets = batch
        if self.autocast is None:
            outputs = model(inputs)
        else:
            with torch.autocast(inputs.device.type, dtype=self.autocast):
                outputs = model(inputs)
            outputs = outputs.to(inputs.dtype)
        count = targets.shape[0] if self.ignore_index is None else (targets != self.ignore_index).sum()
        value = self.criterion(outputs, targets)
        if not self.metrics:
            return Loss(value, count)  # one empty mapping for all steps, not one for each that the meter then holds
        return Loss(value, count, {name: score(outputs, targets).detach() for name, score in self.metrics.items()})
