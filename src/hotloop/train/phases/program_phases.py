"""Phases in a program that knows nothing of them: some of its backward passes are left out."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from hotloop.train.phases.config import PhaseConfig
from hotloop.train.phases.trainer import PhaseTrainer


class ProgramPhases:
    """`install()` before training begins; from the second step on `trainer` says which backward passes are needed.

    Where a step is predicted, `backward` differentiates nothing but gives the parameters their predicted gradients, so
    that what the program does between backward and its step (clipping, logging) happens as ever. The forward pass is
    the program's own and always runs. What cannot be predicted soundly, which is a second optimizer, a step with a
    closure, a loss scaler or several ranks, ends prediction for good, and `refusal` says why.
    """

    def __init__(self, config: PhaseConfig, *, predictor: str, guard: bool) -> None:
        self.trainer: PhaseTrainer | None = None
        self.refusal = ""
        self._build: Callable[[Optimizer], PhaseTrainer] = lambda optimizer: PhaseTrainer(
            optimizer, config, predictor=predictor, guard=guard
        )
        self._is_open = False
        self._is_predicted = False
        self._loss: Tensor | None = None

    def install(self) -> None:
        """Patch torch for the rest of this process."""
        original, scale = torch.autograd.backward, GradScaler.scale

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            value = tensors if isinstance(tensors, Tensor) else next(iter(tensors), None)
            if value is None or not self._leaves_out(value):
                original(tensors, *args, **kwargs)
                return
            leaf = value.detach().requires_grad_()  # of that value, so that who watches sees the loss
            original(leaf, torch.ones_like(leaf))

        def scaled(scaler: GradScaler, outputs: Any) -> Any:
            if scaler.is_enabled():
                self._refuse("the program scales its loss, and a predicted gradient would have the scale of an old one")
            return scale(scaler, outputs)

        for patch in (backward, scaled):
            patch._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
        torch.autograd.backward = backward
        GradScaler.scale = scaled  # pyright: ignore[reportAttributeAccessIssue]
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)

    def _leaves_out(self, value: Tensor) -> bool:
        """Whether this backward pass is left out, its gradients being predicted."""
        if self.trainer is None or self.refusal:
            return False
        if not self._is_open:
            self._is_open, self._is_predicted = True, not self.trainer.begin_step().needs_backward
            if self._is_predicted:
                self.trainer.set_predicted_gradients()
        self._loss = value.detach()
        return self._is_predicted

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self.refusal:
            return
        if any(argument is not None for argument in (*args[1:], kwargs.get("closure"))):  # the first is the optimizer
            self._refuse(f"{type(optimizer).__name__} is stepped with a closure, which runs as often as the step needs")
        elif torch.distributed.is_available() and torch.distributed.is_initialized():
            self._refuse("the program trains on several ranks, whose reducers wait for every backward pass")
        elif self.trainer is None:
            self.trainer = self._build(optimizer)
        elif optimizer is not self.trainer.optimizer:
            self._refuse("the program steps several optimizers, and a backward pass may be for any of them")
        elif self._is_open and not self._is_predicted:
            self.trainer.record_full_gradients()
            if self.trainer.scheduler.phase == "CORRECT":
                self.trainer.apply_correction()

    def _after_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._is_open and self.trainer is not None and optimizer is self.trainer.optimizer:
            self._is_open = False
            self.trainer.end_step(self._loss)

    def _refuse(self, reason: str) -> None:
        self.refusal = self.refusal or reason
