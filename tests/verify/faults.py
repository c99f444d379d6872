"""Changes to a live job: harmless ones that a gate must let through, and planted faults that it must refuse."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from hotloop.compile.capture import CapturedStep
from hotloop.verify.recast import recast
from hotloop.workload import Job, Loss

Change = Callable[[Job], None]


def nothing(job: Job) -> None:
    """Leave the job as it is."""


def fused_optimizer(job: Job) -> None:
    """Let the optimizer update all weights in one kernel."""
    for group in job.optimizer.param_groups:
        group["fused"] = True
        group["foreach"] = False


def compiled(backend: str) -> Change:
    """Compile the model in place with `backend`."""

    def change(job: Job) -> None:
        job.model.compile(backend=backend)

    return change


def captured(backend: str) -> Change:
    """Capture the whole step as one graph, compiled by `backend` ("aten": run as it is)."""

    def change(job: Job) -> None:
        job.step = CapturedStep(job, backend=backend)

    return change


def bf16_autocast(job: Job) -> None:
    """Run the model's forward in bf16 where torch holds that to be safe; what comes out is fp32 again."""
    if any(isinstance(module, nn.LSTM) for module in job.model.modules()) and not _has_bf16_lstm():
        pytest.skip("oneDNN has no LSTM in bf16 for this CPU")
    plain = job.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = plain(*args, **kwargs)
        return _widened(result)

    job.model.forward = forward


@functools.cache
def _has_bf16_lstm() -> bool:
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(2, 1, 8))
    except RuntimeError:
        return False
    return True


def pure_bf16(job: Job) -> None:
    """Keep the weights themselves in bf16: updates below one ulp are lost."""
    job.model.bfloat16()
    job.batches = [recast(batch, torch.bfloat16) for batch in job.batches]
    job.model.register_forward_hook(lambda module, given, result: _widened(result))


def scaled_gradients(job: Job) -> None:
    """Multiply every gradient by 1.05."""
    for weight in job.model.parameters():
        weight.register_hook(lambda gradient: gradient * 1.05)


def secretly_scaled_gradients(job: Job) -> None:
    """Multiply every gradient by 1.05 in a step function that shows none of them."""

    def step(batch: Any) -> Loss:
        loss = job.strategy.loss(job.model, batch)
        loss.value.backward()
        for weight in job.model.parameters():
            weight.grad *= 1.05
        job.optimizer.step()
        job.optimizer.zero_grad()
        return Loss(loss.value.detach(), loss.count)

    job.step = step


def untrained_step(job: Job) -> None:
    """Compute the loss in a step function that trains nothing."""

    def step(batch: Any) -> Loss:
        loss = job.strategy.loss(job.model, batch)
        return Loss(loss.value.detach(), loss.count)

    job.optimizer._opt_called = True  # else a scheduler warns that it steps first
    job.step = step


def poisoned_gradients(job: Job) -> None:
    """Put a NaN into one gradient."""
    _last_weight(job).register_hook(lambda gradient: gradient * float("nan"))


def frozen_parameter(job: Job) -> None:
    """Take the gradient of one parameter away."""
    _last_weight(job).requires_grad_(False)


def forgotten_parameter(job: Job) -> None:
    """Leave one parameter, which gets its gradient, out of the optimizer."""
    lost = _last_weight(job)
    for group in job.optimizer.param_groups:
        group["params"] = [weight for weight in group["params"] if weight is not lost]


def dropout_off(job: Job) -> None:
    """Put every module that drops something into eval mode."""
    for module in job.model.modules():
        if any(isinstance(getattr(module, name, None), float) for name in ("p", "dropout")):
            module.eval()


def dropout_zero(job: Job) -> None:
    """Set every dropout rate to 0, of functional dropout too."""
    for module in job.model.modules():
        for name in ("p", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def dropout_hidden(job: Job) -> None:
    """Switch dropout off during each forward only, so that flags and rates look right before and after."""

    def forward(*args: Any, **kwargs: Any) -> Any:
        with _dropout_patched():
            return plain(*args, **kwargs)

    plain = job.model.forward
    job.model.forward = forward


def batch_norm_eval(job: Job) -> None:
    """Put every batch-norm into eval mode."""
    for norm in _norms(job):
        norm.eval()


def batch_norm_still(job: Job) -> None:
    """Normalise by the batch, and leave the running statistics where they are."""
    for norm in _norms(job):
        norm.momentum = 0.0


def stale_inputs(job: Job) -> None:
    """Train each step on the batch before; the first on its own."""
    job.batches = _Stale(job.batches)


def dropped_steps(job: Job) -> None:
    """Skip the update of every tenth step."""
    plain, count = job.optimizer.step, 0

    def step(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        return None if count % 10 == 0 else plain(*args, **kwargs)

    step._wrapped_by_lr_sched = True  # else a scheduler warns that its own wrapper has gone
    job.optimizer.step = step


def both(first: Change, second: Change) -> Change:
    """One change after the other."""

    def change(job: Job) -> None:
        first(job)
        second(job)

    return change


STEP_FAULTS: tuple[Change, ...] = (
    scaled_gradients,
    secretly_scaled_gradients,
    untrained_step,
    poisoned_gradients,
    frozen_parameter,
    forgotten_parameter,
)
PATH_FAULTS: tuple[Change, ...] = (stale_inputs, dropped_steps)
DROPOUT_FAULTS: tuple[Change, ...] = (dropout_off, dropout_zero, dropout_hidden)
BATCH_NORM_FAULTS: tuple[Change, ...] = (batch_norm_eval, batch_norm_still)


class _Stale:
    """The same number of batches, each one place late."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        late = None
        for batch in self._batches:
            yield batch if late is None else late
            late = batch


class _dropout_patched:
    def __enter__(self) -> None:
        self._plain = nn.functional.dropout, nn.functional.scaled_dot_product_attention
        nn.functional.dropout = lambda x, *_, **__: x
        attention = self._plain[1]
        nn.functional.scaled_dot_product_attention = lambda *a, **k: attention(*a, **{**k, "dropout_p": 0.0})

    def __exit__(self, *_: object) -> None:
        nn.functional.dropout, nn.functional.scaled_dot_product_attention = self._plain


def _widened(result: Any) -> Any:
    return result.float() if isinstance(result, torch.Tensor) else result


def _last_weight(job: Job) -> nn.Parameter:
    return [weight for weight in job.model.parameters() if weight.ndim > 1][-1]


def _norms(job: Job) -> list[nn.modules.batchnorm._BatchNorm]:
    return [m for m in job.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
