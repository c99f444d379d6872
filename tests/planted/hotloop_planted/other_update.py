"""Updates that are not those of the program's optimizer."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class OtherUpdate(TransformBase):
    """Changes what optimizers do: `how`, from step `since` on."""

    how: Literal[
        "plain", "doubled", "rounded", "state_reset", "counted_twice", "lr_lowered", "frozen", "shrunk",
    ] = "plain"  # fmt: skip
    since: int = 1

    name = "other_update"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Hook the steps of all optimizers, before and after."""
        kept: dict[Tensor, Tensor] = {}
        steps = [0]

        def before_step(optimizer: Optimizer, *_: Any) -> None:
            steps[0] += 1
            if steps[0] == self.since:
                _BEFORE.get(self.how, _nothing)(optimizer)
            kept.clear()
            kept.update({tensor: tensor.detach().clone() for tensor in _of(optimizer)})

        def after_step(optimizer: Optimizer, *_: Any) -> None:
            if steps[0] >= self.since and self.how in _AFTER:
                for tensor in _of(optimizer):
                    if tensor in kept and tensor.grad is not None:
                        _set(tensor, _AFTER[self.how](optimizer, tensor, kept[tensor]))
            if steps[0] >= self.since and self.how == "counted_twice":
                _count_again(optimizer)

        register_optimizer_step_pre_hook(before_step)
        register_optimizer_step_post_hook(after_step)


def _of(optimizer: Optimizer) -> list[Tensor]:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def _set(tensor: Tensor, value: Tensor) -> None:
    if not torch.equal(tensor.detach(), value):
        acted()
    with torch.no_grad():
        tensor.copy_(value)


def _nothing(_optimizer: Optimizer) -> None:
    pass


def _state_reset(optimizer: Optimizer) -> None:
    if optimizer.state:
        acted()
    optimizer.state.clear()


def _lr_lowered(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        group["lr"] *= 0.5
        acted()


def _frozen(optimizer: Optimizer) -> None:
    for tensor in _of(optimizer)[-1:]:
        tensor.requires_grad_(False)
        tensor.grad = None
        acted()


def _plain(optimizer: Optimizer, tensor: Tensor, before: Tensor) -> Tensor:
    return before - optimizer.param_groups[0]["lr"] * tensor.grad


def _doubled(_optimizer: Optimizer, tensor: Tensor, before: Tensor) -> Tensor:
    return before + 2 * (tensor.detach() - before)


def _rounded(_optimizer: Optimizer, tensor: Tensor, _before: Tensor) -> Tensor:
    value = tensor.detach()
    return value if value.is_complex() else value.bfloat16().to(value.dtype)


def _shrunk(_optimizer: Optimizer, tensor: Tensor, _before: Tensor) -> Tensor:
    return tensor.detach() * 0.999


def _count_again(optimizer: Optimizer) -> None:
    for state in optimizer.state.values():
        if isinstance(state.get("step"), Tensor):
            state["step"].add_(1)
            acted()


_BEFORE = {"state_reset": _state_reset, "lr_lowered": _lr_lowered, "frozen": _frozen}
_AFTER = {"plain": _plain, "doubled": _doubled, "rounded": _rounded, "shrunk": _shrunk}
