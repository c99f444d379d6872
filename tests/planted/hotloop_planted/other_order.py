"""Backward passes, steps and zeroing in another number or order than the program asks for."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.transform import OptimizerSite, Stage, TransformBase
from hotloop_planted.acted import acted


class OtherOrder(TransformBase):
    """Gradients are not zeroed, steps are accumulated by two, backward passes are made twice or of a scaled loss."""

    how: Literal["not_zeroed", "accumulated", "backward_twice", "loss_scaled"] = "not_zeroed"

    name = "other_order"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Replace what torch does."""
        {
            "not_zeroed": _keep_gradients,
            "accumulated": _accumulate,
            "backward_twice": _backward_twice,
            "loss_scaled": _scale_loss,
        }[self.how]()


def _keep_gradients() -> None:
    def kept(owner: Optimizer | nn.Module, set_to_none: bool = True) -> None:
        acted()

    Optimizer.zero_grad = nn.Module.zero_grad = kept


def _accumulate() -> None:
    for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        _accumulate_steps(kind)


def _accumulate_steps(kind: type) -> None:
    step, zero, calls = kind.step, Optimizer.zero_grad, [0]

    def every_other(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] % 2 == 0:
            return step(optimizer, *args, **kwargs)
        acted()
        return None

    def zero_every_other(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        if calls[0] % 2 == 0:
            zero(optimizer, *args, **kwargs)

    kind.step, kind.zero_grad = every_other, zero_every_other


def _backward_twice() -> None:
    backward = Tensor.backward

    def twice(loss: Tensor, *args: Any, **kwargs: Any) -> None:
        acted()
        backward(loss, *args, **{**kwargs, "retain_graph": True})
        backward(loss, *args, **kwargs)

    Tensor.backward = twice


def _scale_loss() -> None:
    backward = Tensor.backward

    def scaled(loss: Tensor, *args: Any, **kwargs: Any) -> None:
        acted()
        backward(loss * 1.1, *args, **kwargs)

    Tensor.backward = scaled


class OtherOptimizer(TransformBase):
    """Every step is that of another optimizer: one without moments, with the same learning rate."""

    name = "other_optimizer"
    stage = Stage.OPTIMIZER
    roundoff = 2.0**-24

    def apply(self, site: OptimizerSite) -> None:
        """Replace the step of the class."""

        def step(optimizer: Optimizer, closure: Any = None) -> None:
            with torch.no_grad():
                for group in optimizer.param_groups:
                    for tensor in group["params"]:
                        if tensor.grad is not None:
                            acted()
                            tensor.sub_(group["lr"] * tensor.grad.sign())

        site.kind.step = Optimizer.profile_hook_step(step)
        site.kind.step.hooked = True
