"""Adam, AdamW and SGD on one flat vector: one fused operation a step, or plain operations that compute the same."""

import inspect
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from hotloop.train.lean.flat import FlatParameters

Kind = Literal["adam", "adamw", "sgd"]
BETA1, BETA2, EPS, _MOMENTUM = 0.9, 0.999, 1e-8, 0.9  # torch's defaults; SGD's momentum is the estimators'
_FUSED_DEVICES = frozenset({"cpu", "cuda"})


class FlatOptimizer(Optimizer):
    """A torch optimizer over the parameters in `flat`; `update` makes one step without torch's wrappers.

    `moments` are its state: first and second moment, or the momentum; `after` hands them over from another. The
    learning rate is read from `param_groups[0]["lr"]` at each step, so that schedulers work. `fused` None takes torch's
    fused operation where the device has one. Weight decay is added to the gradient by "adam" and "sgd", and decoupled
    by "adamw".
    """

    def __init__(
        self,
        flat: FlatParameters,
        kind: Kind,
        *,
        lr: float,
        weight_decay: float = 0.0,
        fused: bool | None = None,
        after: "FlatOptimizer | None" = None,
    ) -> None:
        super().__init__(flat.parameters, {"lr": lr, "weight_decay": weight_decay})
        self.flat, self.kind = flat, kind
        self.moments = [torch.zeros_like(flat.values) for _ in range(1 if kind == "sgd" else 2)]
        self.steps = torch.zeros((), dtype=torch.float32, device=flat.values.device)
        if after is not None:
            self.moments, self.steps = after.moments, after.steps
        self.is_fused = flat.values.device.type in _FUSED_DEVICES if fused is None else fused
        makers = {"adam": self._adam, "adamw": self._adam, "sgd": self._sgd}
        plain = {"adam": self._plain_adam, "adamw": self._plain_adam, "sgd": self._plain_sgd}
        self._apply: Callable[[Tensor | None], None] = (makers if self.is_fused else plain)[kind]
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
            twin: Optimizer = torch.optim.SGD(parameters, momentum=_MOMENTUM, **options)
        else:
            twin = (torch.optim.AdamW if self.kind == "adamw" else torch.optim.Adam)(parameters, **options)
        names = ("momentum_buffer",) if self.kind == "sgd" else ("exp_avg", "exp_avg_sq")
        for name, moment in zip(names, self.moments, strict=True):
            for parameter, view in zip(parameters, self.flat.views(moment), strict=True):
                twin.state[parameter][name] = view.clone(memory_format=torch.preserve_format)
        if self.kind != "sgd":
            for parameter in parameters:
                twin.state[parameter]["step"] = self.steps.clone()
        return twin

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

    def _plain_adam(self, skip: Tensor | None) -> None:
        """Kingma and Ba 2015, algorithm 1; decay of AdamW: Loshchilov and Hutter 2019, algorithm 2."""
        group, values = self.param_groups[0], self.flat.values
        lr, decay = group["lr"], group["weight_decay"]
        grads = self._decayed(decay) if self.kind == "adam" else self.flat.grads
        steps = self.steps + 1.0
        first = self.moments[0].lerp(grads, 1.0 - BETA1)
        second = (self.moments[1] * BETA2).addcmul_(grads, grads, value=1.0 - BETA2)
        unit = lr / (1.0 - BETA1**steps)
        divisor = second.sqrt().div_((1.0 - BETA2**steps).sqrt()).add_(EPS)
        kept = values * (1.0 - lr * decay) if self.kind == "adamw" else values
        self._write(skip, [(values, kept - unit * first / divisor), (self.steps, steps)])
        self._write(skip, [(self.moments[0], first), (self.moments[1], second)])

    def _plain_sgd(self, skip: Tensor | None) -> None:
        group, values = self.param_groups[0], self.flat.values
        velocity = self.moments[0] * _MOMENTUM + self._decayed(group["weight_decay"])
        self._write(skip, [(values, values - group["lr"] * velocity), (self.moments[0], velocity)])

    def _decayed(self, decay: float) -> Tensor:
        return self.flat.grads if decay == 0.0 else self.flat.grads.add(self.flat.values, alpha=decay)

    @staticmethod
    def _write(skip: Tensor | None, pairs: list[tuple[Tensor, Tensor]]) -> None:
        for target, value in pairs:
            target.copy_(value if skip is None else torch.where(skip.bool(), target, value))
