"""A step whose batch is cut into microbatches: their gradients add up to those of the whole batch."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.utils import _pytree as pytree

from hotloop.compile.eager import EagerStep, detached
from hotloop.errors import NotApplicable
from hotloop.workload import Job, Loss

_SAME, _SAME_WITH_NOISE = 1e-3, 0.3  # relative; a sum in place of a mean is twice as large over two microbatches


class AccumulatedStep:
    """A StepFunction that makes one update from `microbatches` equal parts of each batch, the last one maybe smaller.

    The loss of each part counts by its share of the items, so the gradient is that of the mean over the whole batch, in
    another order of addition; parts see random numbers of their own. A batch of fewer samples has as many parts as
    samples. `microbatches` may be changed between steps; `calls` counts the steps that were made of several parts.
    The first step tries on its first two parts whether they can be told apart: without gradients, with the random
    streams put back. Raises NotApplicable at construction and there, with the reason, for what is not the mean of
    independent samples.
    """

    def __init__(self, job: Job, *, microbatches: int) -> None:
        self.microbatches = microbatches
        self.calls = 0
        _check(job)
        self._job = job
        self._eager = EagerStep(job)
        self._is_checked = False

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; the loss is detached and nothing is read from the device but in the first step."""
        if self.microbatches == 1:
            return self._eager(batch)
        parts = cut(batch, self.microbatches)
        if not self._is_checked and len(parts) > 1:
            _check_independent(self._job, cut(batch, self.microbatches, most=2))
            self._is_checked = True
        total = sum(size for _, size in parts)
        losses = [self._backward(part, size / total) for part, size in parts]
        self._eager.update()
        self.calls += len(parts) > 1
        return _joined(losses)

    def _backward(self, part: Any, share: float) -> tuple[Loss, float]:
        loss = self._job.strategy.loss(self._job.model, part)
        (loss.value * share).backward()
        return detached(loss), share


def cut(batch: Any, parts: int, *, most: int | None = None) -> list[tuple[Any, int]]:
    """Views of a batch in `parts` parts along the first dimension, and the samples of each; of `most` parts at most.

    Raises NotApplicable where it is not clear what a sample is.
    """
    leaves, shape = pytree.tree_flatten(batch)
    size = samples_of(leaves)
    length = math.ceil(size / min(parts, size))
    starts = range(0, size, length)[:most]

    def part(start: int) -> Any:
        taken = [leaf[start : start + length] if isinstance(leaf, Tensor) and leaf.dim() else leaf for leaf in leaves]
        return pytree.tree_unflatten(taken, shape)

    return [(part(start), min(length, size - start)) for start in starts]


def samples_of(leaves: list[Any]) -> int:
    """The first dimension that all tensors of a batch share. Raises NotApplicable where there is none."""
    other = [leaf for leaf in leaves if leaf is not None and not isinstance(leaf, Tensor)]
    if other:
        raise NotApplicable(
            f"a batch holds a {type(other[0]).__qualname__}, and it is not clear to which samples it belongs; only "
            "tensors can be cut into microbatches: let collate_fn make tensors"
        )
    sizes = {leaf.shape[0] for leaf in leaves if leaf is not None and leaf.dim()}
    if len(sizes) != 1 or 0 in sizes:
        told = ", ".join(map(str, sorted(sizes))) or "none"
        raise NotApplicable(
            f"the tensors of a batch have the first dimensions {told}; microbatches need one that all share, of at "
            "least one sample: put the samples first in every tensor"
        )
    return sizes.pop()


def _check(job: Job) -> None:
    """Raise NotApplicable for what can be seen before any step."""
    if job.step is not None:
        raise NotApplicable(
            f"the job makes its steps by itself ({type(job.step).__name__}), and its batches cannot be cut from outside"
        )
    mixing = next((name for name, m in job.model.named_modules() if isinstance(m, _BatchNorm) and m.training), None)
    if mixing is not None:
        raise NotApplicable(
            f"module {mixing or 'root'} is a batch norm in train mode, which mixes the samples of a batch: "
            "microbatches would be normalized by themselves; use GroupNorm or LayerNorm"
        )
    hooked = next((name for name, p in job.model.named_parameters() if _hooks(p)), None)
    if hooked is not None:
        raise NotApplicable(
            f"parameter {hooked} has a hook on its gradient, which would see the gradients of each microbatch; drop "
            "the hook, or keep the batch whole"
        )


def _hooks(parameter: nn.Parameter) -> bool:
    return any(getattr(parameter, name, None) for name in ("_backward_hooks", "_post_accumulate_grad_hooks"))


def _check_independent(job: Job, parts: list[tuple[Any, int]]) -> None:
    """Raise NotApplicable where two parts together have another loss than each by itself, or change shared state."""
    before = {name: buffer.clone() for name, buffer in job.model.named_buffers()}
    versions = {name: buffer._version for name, buffer in job.model.named_buffers()}
    whole = _joined_batch([part for part, _ in parts])
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices), torch.no_grad():
        losses = [(job.strategy.loss(job.model, part), size) for part, size in parts]
        draws = _draws(lambda: job.strategy.loss(job.model, whole))
    changed = [name for name, buffer in job.model.named_buffers() if buffer._version != versions.get(name)]
    if changed:
        with torch.no_grad():
            for name in changed:
                job.model.get_buffer(name).copy_(before[name])
        raise NotApplicable(
            f"a forward pass changes buffer {changed[0]}, which microbatches would change several times in a step; "
            "keep the batch whole"
        )
    together, has_drawn = draws
    _check_counts([*(loss for loss, _ in losses), together], [*(size for _, size in losses), None])
    size = sum(size for _, size in losses)
    apart = math.fsum(float(loss.value) * part / size for loss, part in losses)
    allowed = (_SAME_WITH_NOISE if has_drawn else _SAME) * max(abs(float(together.value)), 1e-6)
    if not abs(apart - float(together.value)) <= allowed:
        raise NotApplicable(
            f"two microbatches have a mean loss of {apart:.6g}, and together one of {float(together.value):.6g}: the "
            "loss is a sum, or mixes samples (contrastive, statistics of the batch); microbatches would train "
            "something else"
        )


def _draws(call: Callable[[], Loss]) -> tuple[Loss, bool]:
    """What a call gives, and whether it draws random numbers."""
    states = _random_states()
    loss = call()
    return loss, any(not torch.equal(a, b) for a, b in zip(states, _random_states(), strict=True))


def _random_states() -> list[Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ())]


def _check_counts(losses: list[Loss], sizes: list[int | None]) -> None:
    """Items must be counted by sample: where only some count, a part of which none does has no mean."""
    for loss in losses:
        if isinstance(loss.count, Tensor):
            raise NotApplicable(
                "the loss counts its items on the device (targets that are ignored): a microbatch in which every "
                "target is ignored has no mean; keep the batch whole"
            )
    rates = {loss.count / size for loss, size in zip(losses, sizes, strict=True) if size}
    if len(rates) > 1:
        raise NotApplicable(
            "microbatches of equal size count different numbers of items, so that their means weigh differently; keep "
            "the batch whole"
        )


def _joined_batch(parts: list[Any]) -> Any:
    leaves = [pytree.tree_flatten(part) for part in parts]
    joined = [
        torch.cat(list(same)) if isinstance(same[0], Tensor) and same[0].dim() else same[0]
        for same in zip(*(flat for flat, _ in leaves), strict=True)
    ]
    return pytree.tree_unflatten(joined, leaves[0][1])


def _joined(losses: list[tuple[Loss, float]]) -> Loss:
    """The loss of the whole batch: means weighted by the share of each part."""
    value = sum((loss.value * share for loss, share in losses[1:]), losses[0][0].value * losses[0][1])
    metrics = {
        key: sum((loss.metrics[key] * share for loss, share in losses[1:]), losses[0][0].metrics[key] * losses[0][1])
        for key in losses[0][0].metrics
    }
    count = sum(loss.count for loss, _ in losses)
    return Loss(value, count, metrics) if metrics else Loss(value, count)
