"""Helpers around the step that do not what the program asks of them: clipping, averages, schedules."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class OtherHelper(TransformBase):
    """Replaces one of torch's functions by another."""

    how: Literal[
        "not_clipped", "clipped_later", "clipped_sooner", "not_averaged", "averaged_late", "schedule_twice",
    ] = "not_clipped"  # fmt: skip
    name = "other_helper"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Put it in place."""
        if "clipped" in self.how:
            _clip({"not_clipped": float("inf"), "clipped_later": 4.0, "clipped_sooner": 0.5}[self.how])
        elif "averaged" in self.how:
            _average(every=10**9 if self.how == "not_averaged" else 2)
        else:
            _step_twice()


def _clip(factor: float) -> None:
    original = nn.utils.clip_grad_norm_

    def clip(parameters: Any, max_norm: float, *args: Any, **kwargs: Any) -> Tensor:
        kept = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        norm = nn.utils.get_total_norm([tensor.grad for tensor in kept if tensor.grad is not None])
        if float(norm) > max_norm * min(factor, 1.0):
            acted()
        return original(kept, max_norm * factor, *args, **kwargs)

    nn.utils.clip_grad_norm_ = torch.nn.utils.clip_grad.clip_grad_norm_ = clip


def _average(every: int) -> None:
    original, calls = AveragedModel.update_parameters, [0]

    def update(average: AveragedModel, model: nn.Module) -> None:
        calls[0] += 1
        if calls[0] % every == 0:
            original(average, model)
        else:
            acted()

    AveragedModel.update_parameters = update


def _step_twice() -> None:
    original = LRScheduler.step

    def twice(scheduler: LRScheduler, *args: Any) -> None:
        original(scheduler, *args)
        if getattr(scheduler, "last_epoch", 0) > 0:
            acted()
            original(scheduler, *args)

    LRScheduler.step = twice
