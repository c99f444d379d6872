"""Adam, AdamW and SGD on one flat vector: one fused operation a step."""

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from hotloop.train.flat.parameters import FlatParameters

Kind = Literal["adam", "adamw", "sgd"]
BETA1, BETA2, EPS, _MOMENTUM = 0.9, 0.999, 1e-8, 0.9  # torch's defaults; SGD's momentum is the estimators'


class FlatOptimizer(Optimizer):
    """A torch optimizer over the parameters in `flat`; `update` makes one step without torch's wrappers.

    `moments` are its state: first and second moment, or the momentum; `after` hands them over from another. The
    learning rate is read from `param_groups[0]["lr"]` at each step, so that schedulers work. Weight decay is added to
    the gradient by "adam" and "sgd", and decoupled by "adamw".
    """

    def __init__(
        self,
        flat: FlatParameters,
        kind: Kind,
        *,
        lr: float,
        weight_decay: float = 0.0,
        after: "FlatOptimizer | None" = None,
    ) -> None:
        super().__init__(flat.parameters, {"lr": lr, "weight_decay": weight_decay})
        self.flat, self.kind = flat, kind
        self.moments = [torch.zeros_like(flat.values) for _ in range(1 if kind == "sgd" else 2)]
        self.steps = torch.zeros((), dtype=torch.float32, device=flat.values.device)
        if after is not None:
            self.moments, self.steps = after.moments, after.steps
        self._apply: Callable[[Tensor | None], None] = self._sgd if kind == "sgd" else self._adam
        self._fused_adam = torch._fused_adamw_ if kind == "adamw" else torch._fused_adam_  # pyright: ignore

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group as torch does, without its wrapper: that imports torch._dynamo, 0.8 s of a short fit."""
        inspect.unwrap(Optimizer.add_param_group)(self, param_group)

    def as_torch(self) -> Optimizer:
        """torch's own optimizer over the same parameters, with the same options and a copy of this state."""
        group = self.param_groups[0]
        options = {"lr": group["lr"], "weight_decay": group["weight_decay"]}
        parameters = self.flat.parameters
        if self.kind == "sgd":
            copy: Optimizer = torch.optim.SGD(parameters, momentum=_MOMENTUM, **options)
        else:
            copy = (torch.optim.AdamW if self.kind == "adamw" else torch.optim.Adam)(parameters, **options)
        names = ("momentum_buffer",) if self.kind == "sgd" else ("exp_avg", "exp_avg_sq")
        for name, moment in zip(names, self.moments, strict=True):
            for parameter, view in zip(parameters, self.flat.views(moment), strict=True):
                copy.state[parameter][name] = view.clone(memory_format=torch.preserve_format)
        if self.kind != "sgd":
            for parameter in parameters:
                copy.state[parameter]["step"] = self.steps.clone()
        return copy

    def take_from(self, optimizer: Optimizer) -> None:
        """Take over the state of what `as_torch` gave, after its steps."""
        names = ("momentum_buffer",) if self.kind == "sgd" else ("exp_avg", "exp_avg_sq")
        for name, moment in zip(names, self.moments, strict=True):
            for parameter, view in zip(self.flat.parameters, self.flat.views(moment), strict=True):
                view.copy_(optimizer.state[parameter][name])
        if self.kind != "sgd":
            self.steps.copy_(optimizer.state[self.flat.parameters[0]]["step"])

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore
        """One step from `flat.grads`; for callers that hold a torch optimizer."""
        loss = None if closure is None else closure()
        self.update(None)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Zero the gradients in place: they are views, and must stay so."""
        self.flat.grads.zero_()

    @torch.no_grad()
    def update(self, skip: Tensor | None) -> None:
        """One step from `flat.grads`; nothing changes where the float32 scalar `skip` is 1. Nothing is read."""
        self._apply(skip)

    def _adam(self, skip: Tensor | None) -> None:
        group = self.param_groups[0]
        self.steps.add_(1.0)
        self._fused_adam(
            [self.flat.values],
            [self.flat.grads],
            [self.moments[0]],
            [self.moments[1]],
            [],
            [self.steps],
            lr=group["lr"],
            beta1=BETA1,
            beta2=BETA2,
            weight_decay=group["weight_decay"],
            eps=EPS,
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=skip,
        )
        if skip is not None:
            self.steps.sub_(skip)

    def _sgd(self, skip: Tensor | None) -> None:
        group = self.param_groups[0]
        # With momentum that starts at zero the first step is the gradient itself, as torch defines it.
        torch._fused_sgd_(  # pyright: ignore
            [self.flat.values],
            [self.flat.grads],
            self.moments,
            lr=group["lr"],
            momentum=_MOMENTUM,
            weight_decay=group["weight_decay"],
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
            grad_scale=None,
            found_inf=skip,
        )
