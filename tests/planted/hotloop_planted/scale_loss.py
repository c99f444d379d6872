"""Every gradient too large, whatever holds the tensors."""

from typing import Any

from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class ScaleLoss(TransformBase):
    """Multiplies the gradients of each optimizer by `factor` before its step."""

    factor: float = 1.5

    name = "scale_loss"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Hook the steps of all optimizers."""

        def scale(optimizer: Optimizer, *_: Any) -> None:
            for group in optimizer.param_groups:
                for tensor in group["params"]:
                    if tensor.grad is not None:
                        acted()
                        tensor.grad.mul_(self.factor)

        register_optimizer_step_pre_hook(scale)
