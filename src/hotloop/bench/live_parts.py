"""Benchmarks of what lives in this process: a model with its inputs, the training step of a job.

One process is one replicate: its intervals say how steady the figures are here, not what another process would give.
`hotloop bench` starts fresh processes.
"""

import copy
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.bench.figure import Figure
from hotloop.bench.memory_samples import MemorySamples
from hotloop.bench.parts import time_parts
from hotloop.machine.memory import tree_memory
from hotloop.workload import Job


@dataclass(frozen=True, kw_only=True)
class PartTimes:
    """Figures of one process by part, and memory in bytes; `batch` counts the samples of a batch, 0 if unknown.

    The peak is that of the process since it started, or of torch's allocator on a GPU.
    """

    parts: Mapping[str, Figure]
    peak_memory: int
    mean_memory: int
    batch: int

    @property
    def forward(self) -> Figure:
        """With what backward needs kept, where there is a backward."""
        return self.parts["forward"]

    @property
    def backward(self) -> Figure | None:
        """None where nothing was differentiated."""
        return self.parts.get("backward")

    @property
    def update(self) -> Figure | None:
        """Clipping, the optimizer and the emptying of gradients; None where nothing was trained."""
        return self.parts.get("update")

    @property
    def seconds(self) -> float:
        """All parts together."""
        return sum(figure.seconds for figure in self.parts.values())

    @property
    def throughput(self) -> float:
        """Samples a second; 0 where the size of a batch is not known."""
        return self.batch / self.seconds


def benchmark_model(
    model: nn.Module,
    inputs: Any,
    *,
    loss: Callable[[Any], Tensor] | None = None,
    steps: int = 30,
    warmup: int = 3,
) -> PartTimes:
    """Forward of `model(*inputs)` (one tensor or a tuple), and backward from `loss(outputs)` where that is given.

    The model stays as it is: its mode, its buffers and gradients, and the random numbers of torch.
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)

    def forward(batch: tuple[Any, ...]) -> Tensor | None:
        if loss is not None:
            return loss(model(*batch))
        with torch.no_grad():
            model(*batch)
        return None

    def empty() -> None:
        for parameter in model.parameters():
            parameter.grad = None

    size = next((len(item) for item in given if isinstance(item, Tensor) and item.dim()), 0)
    with _unchanged(model):
        return _measured(forward, [given], steps=steps, warmup=warmup, after={}, on_step=empty, batch=size)


def benchmark_training_step(job: Job, *, steps: int = 30, warmup: int = 3) -> PartTimes:
    """Forward, backward and update of a job's eager step.

    Afterwards weights, buffers, gradients, optimizer, scheduler and the random numbers of torch are as before.
    """
    parameters = [parameter for group in job.optimizer.param_groups for parameter in group["params"]]
    counts: list[Any] = []

    def forward(batch: Any) -> Tensor:
        found = job.strategy.loss(job.model, batch)
        counts[:] = [found.count]
        return found.value

    def update() -> None:
        if job.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, job.clip_norm)
        job.optimizer.step()
        job.optimizer.zero_grad(set_to_none=True)
        if job.scheduler is not None:
            job.scheduler.step()

    kept = [copy.deepcopy(part.state_dict()) for part in _stateful(job)]
    try:
        with _unchanged(job.model):
            found = _measured(forward, job.batches, steps=steps, warmup=warmup, after={"update": update}, batch=0)
    finally:
        for part, state in zip(_stateful(job), kept, strict=True):
            part.load_state_dict(state)
    return PartTimes(
        parts=found.parts, peak_memory=found.peak_memory, mean_memory=found.mean_memory, batch=int(counts[0])
    )


def _stateful(job: Job) -> Sequence[Any]:
    return [part for part in (job.optimizer, job.scheduler) if part is not None]


def _measured(
    forward: Callable[[Any], Tensor | None],
    batches: Any,
    *,
    steps: int,
    warmup: int,
    after: Mapping[str, Callable[[], None]],
    batch: int,
    on_step: Callable[[], None] = lambda: None,
) -> PartTimes:
    if steps < 3 or warmup < 1:
        raise ValueError(f"got {steps} steps after {warmup} of warmup; give at least 3 steps and 1 of warmup")
    found = time_parts(forward, batches, warmup=warmup, steps=steps, after=after, on_step=on_step)
    with MemorySamples() as memory:  # apart from the timed steps, which its thread would hold up
        time_parts(forward, batches, warmup=0, steps=min(steps, 10), after=after, on_step=on_step)
    has_cuda = torch.cuda.is_available()
    return PartTimes(
        parts={name: Figure(samples=(samples,)) for name, samples in found.items()},
        peak_memory=torch.cuda.max_memory_allocated() if has_cuda else tree_memory(os.getpid()),
        mean_memory=memory.mean,
        batch=batch,
    )


@contextmanager
def _unchanged(model: nn.Module) -> Generator[None]:
    """Weights, buffers, gradients, modes of modules and random numbers as they were."""
    tensors = (*model.parameters(), *model.buffers())
    values = [tensor.detach().clone() for tensor in tensors]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        with torch.random.fork_rng():
            yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, mode in modes:
            module.training = mode
