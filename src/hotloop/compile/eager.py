"""The step as everybody writes it: forward, loss, backward, clipping, optimizer."""

from typing import Any

import torch
from torch import Tensor, nn

from hotloop.compile.precision import autocast_to
from hotloop.workload import Job, Loss


class EagerStep:
    """Steps a job operation by operation; with `dtype`, forward and loss run under autocast to it.

    Everything that stays the same between steps is looked up once, here. The graph of a step, emptied by backward,
    lives until the next one is built, as in a loop that holds its loss in a variable: so the parameters' accumulators
    are found again and not made anew.
    """

    def __init__(self, job: Job, *, dtype: torch.dtype | None = None) -> None:
        self._model = job.model
        self._loss = job.strategy.loss
        self._optimizer_step = job.optimizer.step
        self._zero_grad = job.optimizer.zero_grad
        self._clip_norm = job.clip_norm
        self._parameters = [p for group in job.optimizer.param_groups for p in group["params"]]
        self._dtype = dtype
        self._observe = None if job.gradients is None else job.gradients.observe
        self._graph: Tensor | None = None

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; the loss is detached and nothing is read from the device."""
        if self._dtype is None:
            loss = self._loss(self._model, batch)
        else:
            with autocast_to(self._dtype, self._parameters):
                loss = self._loss(self._model, batch)
        loss.value.backward()
        self.update()
        self._graph = loss.value
        return detached(loss)

    def update(self) -> None:
        """Clip and apply the gradients that are there, and drop them; the job's observer sees them before."""
        if self._observe is not None:
            self._observe()
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._clip_norm)
        self._optimizer_step()
        self._zero_grad(set_to_none=True)


def detached(loss: Loss) -> Loss:
    """The same numbers, cut off from the graph that made them."""
    metrics = {key: value.detach() for key, value in loss.metrics.items()} if loss.metrics else loss.metrics
    return Loss(loss.value.detach(), loss.count, metrics)
