"""The update of torch's own optimizers, run on traced tensors so that it becomes part of the graph."""

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from hotloop.errors import NotApplicable

_SUPPORTED: tuple[type[Optimizer], ...] = (SGD, Adam, AdamW)

# Adam's capturable arithmetic divides by the learning rate: 0 / 0 where a warmup starts at zero and a gradient is zero.
# This rate moves no parameter and divides safely: eps / 1e-30 is finite in fp32.
_SMALLEST_LR = 1e-30


class StateMissing(Exception):
    """The optimizer has not made its state yet; one eager step makes it."""


def check_optimizer(optimizer: Optimizer) -> None:
    """Raise NotApplicable where the update of this optimizer cannot be captured."""
    if type(optimizer) not in _SUPPORTED:
        raise NotApplicable(
            f"the optimizer is a {type(optimizer).__qualname__}; a step can be captured with "
            f"{', '.join(kind.__name__ for kind in _SUPPORTED)}: use one of them, or drop 'whole_step'"
        )
    # A scheduler of torch wraps `step` too, only to know that it was called.
    if "step" in vars(optimizer) and not hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        raise NotApplicable(
            "optimizer.step was replaced by another function, which a captured step would not call; "
            "restore it, or drop 'whole_step'"
        )
    for group in optimizer.param_groups:
        if group.get("differentiable") or any(isinstance(beta, Tensor) for beta in group.get("betas", ())):
            raise NotApplicable(
                "the optimizer is differentiable or has tensors for betas, which a captured step does not take; "
                "use floats and differentiable=False, or drop 'whole_step'"
            )


def update_in_place(
    optimizer: Optimizer,
    grads: dict[Tensor, Tensor],
    stand_ins: dict[int, Any],
    *,
    rates: list[Tensor],
    sharing: tuple[int, ...],
) -> None:
    """One optimizer step on the stand-ins of the parameters that have a gradient, and on those of their state.

    `stand_ins` maps the id of a real tensor to the traced one, `grads` a real parameter to its traced gradient, `rates`
    holds the learning rate of each group, `sharing` which step counters are equal.
    """
    shadow: Optimizer = object.__new__(type(optimizer))
    state, counters = _shadow_state(optimizer, grads, stand_ins, sharing)
    groups = [
        _shadow_group(optimizer, group, rate, [stand_ins[id(p)] for p in group["params"] if p in grads])
        for group, rate in zip(optimizer.param_groups, rates, strict=True)
    ]
    vars(shadow).update(param_groups=[group for group in groups if group["params"]], state=state)
    for group in optimizer.param_groups:
        for parameter in (p for p in group["params"] if p in grads):
            grad = grads[parameter]
            stand_ins[id(parameter)].grad = grad.clone() if _changes_gradients(optimizer, group, grad) else grad
    with torch.no_grad(), _as_if_compiling():
        # Unwrapped: the wrappers record profiler ranges, which would become part of the graph.
        inspect.unwrap(type(optimizer).step)(shadow)
    for parameter, grad in grads.items():
        stand_ins[id(parameter)].grad = grad
    for counter, double in counters:
        counter.detach().copy_(double)


def clip_in_place(grads: list[Tensor], max_norm: float | None) -> Tensor:
    """The joint 2-norm of the traced gradients, which are then scaled to at most `max_norm`, as torch does it."""
    with _as_if_compiling():
        norm = nn.utils.get_total_norm(grads, foreach=False)
        if max_norm is None:
            return norm
        holders = [torch.empty_like(grad) for grad in grads]
        for holder, grad in zip(holders, grads, strict=True):
            holder.grad = grad
        nn.utils.clip_grads_with_norm_(holders, max_norm, norm, foreach=False)
        return norm


def _shadow_state(
    optimizer: Optimizer, grads: dict[Tensor, Tensor], stand_ins: dict[int, Any], sharing: tuple[int, ...]
) -> tuple[dict[Tensor, dict[str, Any]], list[tuple[Tensor, Tensor]]]:
    """State for the shadow, and pairs (counter, its double).

    Steps are counted in float64, so that 1 - beta ** step is as exact as the eager step computes it on the host.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    counted = [p for p in parameters if isinstance(optimizer.state.get(p, {}).get("step"), Tensor)]
    shared: dict[int, Tensor] = {}
    classes = {id(p): index for p, index in zip(counted, sharing, strict=True)}
    shadow: dict[Tensor, dict[str, Any]] = {}
    counters: list[tuple[Tensor, Tensor]] = []
    for parameter in grads:
        state: dict[str, Any] = optimizer.state.get(parameter, {})
        entries = {name: stand_ins.get(id(value), value) for name, value in state.items()}
        if id(parameter) in classes:
            counter = entries["step"]
            # The first used one of its class: a counter that this graph does not advance would go stale.
            # A copy for each parameter, whatever its dtype: the update counts on in place, once for each.
            entries["step"] = shared.setdefault(classes[id(parameter)], counter).to(torch.float64, copy=True)
            counters.append((counter, entries["step"]))
        shadow[stand_ins[id(parameter)]] = entries
    return shadow, counters


def _shadow_group(
    optimizer: Optimizer, group: dict[str, Any], rate: Tensor, parameters: list[Tensor]
) -> dict[str, Any]:
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    is_sgd = isinstance(optimizer, SGD)
    changes = {
        "params": parameters,
        "lr": rate if is_sgd else rate.clamp(min=_SMALLEST_LR),
        "fused": False,
        "capturable": True,
        # SGD takes a learning rate on the device only in its foreach form; a GPU wants few kernels.
        "foreach": is_sgd or not on_cpu,
    }
    return {**group, **changes}


def _changes_gradients(optimizer: Optimizer, group: dict[str, Any], grad: Tensor) -> bool:
    """Whether the form that is traced writes into the gradient, and the one that the plain step takes does not."""
    is_plainly_foreach = group["foreach"] or (group["foreach"] is None and grad.device.type != "cpu")
    return isinstance(optimizer, SGD) and not is_plainly_foreach


@contextmanager
def _as_if_compiling() -> Generator[None]:
    """Lets torch's optimizers take the path that keeps every number on the device."""
    before = torch.compiler._is_compiling_flag  # pyright: ignore[reportPrivateUsage]
    torch.compiler._is_compiling_flag = True  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        torch.compiler._is_compiling_flag = before  # pyright: ignore[reportPrivateUsage]
