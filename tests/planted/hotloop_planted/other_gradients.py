"""Gradients that are not those of the loss, whatever holds the tensors."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.transform import Stage, TransformBase
from hotloop_planted.acted import acted


class OtherGradients(TransformBase):
    """Changes gradients before the step of an optimizer, in all steps or in some."""

    how: Literal[
        "noisy", "rounded", "one_zeroed", "one_negated", "one_flipped", "delayed", "clamped", "biases_lost",
    ] = "noisy"  # fmt: skip
    every: int = 1

    name = "other_gradients"
    stage = Stage.TORCH
    roundoff = 2.0**-24

    def apply(self, site: None) -> None:
        """Hook the steps of all optimizers."""
        change, steps = _Changes(self.how), [0]

        def before_step(optimizer: Optimizer, *_: Any) -> None:
            steps[0] += 1
            if steps[0] % self.every == 0:
                change(optimizer)

        register_optimizer_step_pre_hook(before_step)


class _Changes:
    def __init__(self, how: str) -> None:
        self._how = how
        self._before: dict[Tensor, Tensor] = {}
        self._generator = torch.Generator().manual_seed(3)

    def __call__(self, optimizer: Optimizer) -> None:
        tensors = [tensor for tensor in _updated(optimizer) if tensor.grad is not None]
        if self._how.startswith("one"):
            tensors = [tensor for tensor in tensors if tensor.dim() > 1][-1:]
        if self._how == "biases_lost":
            tensors = [tensor for tensor in tensors if tensor.dim() == 1]
        for tensor in tensors:
            _replace(tensor, getattr(self, f"_{self._how.removeprefix('one_')}"))

    def _noisy(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        noise = torch.empty(gradient.shape).normal_(generator=self._generator)
        return gradient * (1 + 0.3 * noise)

    def _rounded(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        return gradient if gradient.is_complex() else gradient.bfloat16().to(gradient.dtype)

    def _zeroed(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)

    def _negated(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        return -gradient

    def _flipped(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        return gradient.flip(0)

    def _delayed(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        before, self._before[tensor] = self._before.get(tensor, gradient), gradient.clone()
        return before

    def _clamped(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        limit = 0.5 * float(gradient.abs().max())
        return gradient if gradient.is_complex() else gradient.clamp(-limit, limit)

    def _biases_lost(self, tensor: Tensor, gradient: Tensor) -> Tensor:
        return torch.zeros_like(gradient)


def _updated(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _replace(tensor: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> None:
    found = change(tensor, tensor.grad.clone())
    if not torch.equal(found, tensor.grad):
        acted()
    tensor.grad.copy_(found)
