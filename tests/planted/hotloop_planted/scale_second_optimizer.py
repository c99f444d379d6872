"""The gradients of all optimizers but the first are too large."""

from typing import Any

from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class ScaleSecondOptimizer(TransformBase):
    """Multiplies them by `factor`."""

    factor: float = 100.0

    name = "scale_second_optimizer"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Hook the steps of all optimizers."""
        first: list[Optimizer] = []

        def scale(optimizer: Optimizer, *_: Any) -> None:
            first[:] = first or [optimizer]
            for group in optimizer.param_groups:
                for tensor in group["params"]:
                    if optimizer is not first[0] and tensor.grad is not None:
                        acted()
                        tensor.grad.mul_(self.factor)

        register_optimizer_step_pre_hook(scale)
