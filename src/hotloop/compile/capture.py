"""The whole gradient step captured as one graph, with guards for everything that is constant in it."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from hotloop.compile.backends import Backend, Compiled, compile_graph
from hotloop.compile.batch import take_apart
from hotloop.compile.eager import EagerStep
from hotloop.compile.guards import CaptureGuards
from hotloop.compile.trace import Trace, trace_step
from hotloop.compile.update import StateMissing, check_optimizer
from hotloop.errors import HotloopError, NotApplicable
from hotloop.workload import Job, Loss

MAX_CAPTURES = 8
_set_grad_enabled = torch._C._set_grad_enabled  # pyright: ignore[reportPrivateUsage]


@dataclass(kw_only=True)
class Tally:
    """What this process captured so far: graphs, and steps made by them."""

    captures: int = 0
    steps: int = 0


tally = Tally()


class CapturedStep:
    """A StepFunction that runs forward, loss, backward, clipping and update of a job as one compiled graph.

    Parameters, buffers and optimizer state are updated in place, so that both state_dicts stay valid. Before each step
    the guards are asked: shapes of the batch, modes, hooks, options of the optimizer, attributes. Where one fails, the
    step is captured again for what is there now, at most `MAX_CAPTURES` times. The learning rate is an input.
    The first step of a fresh optimizer that keeps state is eager: torch makes the state in it. Parameters hold no
    gradients afterwards. Attributes of nested Python objects (a config) are not guarded.
    `reports_norm` adds the metric grad_norm, before clipping, to all but eager steps.
    Raises NotApplicable where the job cannot be captured, HotloopError at the ninth capture.
    """

    def __init__(
        self,
        job: Job,
        *,
        backend: Backend = "inductor",
        dtype: torch.dtype | None = None,
        reports_norm: bool = False,
    ) -> None:
        check_optimizer(job.optimizer)
        if job.gradients is not None:
            raise NotApplicable(
                "the job has its gradients observed, and a step that is captured whole shows none; leave out "
                "Job.gradients, or drop 'whole_step'"
            )
        CaptureGuards(job)
        self._job, self._dtype, self._reports_norm = job, dtype, reports_norm
        self._backend: Backend = backend
        self._rates = RateTensors(job.optimizer)
        self._captured: list[_CapturedGraph] = []
        self._last: _CapturedGraph | None = None

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; nothing is read from the device, except where it has to be captured first."""
        tensors, key = take_apart(batch)
        captured = self._last
        if captured is None or captured.key != key or not captured.guards.holds():
            captured = self._kept(key) or self._rebound(key) or self._capture(batch, tensors, key)
            self._last = captured
            if captured is None:
                # Made here, because a scheduler replaces optimizer.step by its own.
                return EagerStep(self._job, dtype=self._dtype)(batch)
        self._rates.refresh()
        tally.steps += 1
        return captured.run(tensors)

    def _kept(self, key: Hashable) -> "_CapturedGraph | None":
        """A graph whose guards hold as they are."""
        last = self._last
        if last is None:
            return None
        # A graph that trains other parameters leaves step counters apart that this one takes for equal.
        same = (captured for captured in self._captured if captured.trace.used == last.trace.used)
        return next((captured for captured in same if captured.key == key and captured.guards.holds()), None)

    def _rebound(self, key: Hashable) -> "_CapturedGraph | None":
        """A graph that fits what is there now, once it works on the tensors of now."""
        self._rates.resolve()
        guards = CaptureGuards(self._job)
        for captured in self._captured:
            if captured.key == key and captured.guards.fingerprint == guards.fingerprint:
                captured.rebind(guards, self._rates.tensors)
                return captured
        return None

    def _capture(self, batch: Any, tensors: list[Tensor], key: Hashable) -> "_CapturedGraph | None":
        """A new graph; None where the optimizer must step once before its state exists."""
        optimizer = self._job.optimizer
        check_optimizer(optimizer)
        keeps = not isinstance(optimizer, SGD) or any(group["momentum"] != 0 for group in optimizer.param_groups)
        if keeps and not any(optimizer.state.values()):
            return None
        if len(self._captured) == MAX_CAPTURES:
            raise HotloopError(
                f"a step was captured {MAX_CAPTURES} times and changed again; no more than {MAX_CAPTURES} variants are "
                "kept: keep shapes, modes, attributes and optimizer options the same between steps (drop_last, "
                "padding, cycle_momentum=False), or drop 'whole_step'"
            )
        guards = CaptureGuards(self._job)
        try:
            trace = trace_step(
                self._job,
                guards,
                batch,
                tensors=tensors,
                rates=self._rates.tensors,
                dtype=self._dtype,
                reports_norm=self._reports_norm,
            )
        except StateMissing:
            return None
        inputs = [*guards.tensors, *self._rates.tensors]
        compiled = compile_graph(
            trace.graph, [*inputs, *tensors, *trace.constants], num_static=len(inputs), backend=self._backend
        )
        captured = _CapturedGraph(trace, compiled, key=key, guards=guards, rates=self._rates.tensors)
        self._captured.append(captured)
        tally.captures += 1
        # A scheduler warns where it sees no call of optimizer.step before its own.
        optimizer._opt_called = True  # pyright: ignore[reportAttributeAccessIssue]
        return captured


class RateTensors:
    """The learning rate of each group as a tensor: the optimizer's own, or one that follows its float."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._device = optimizer.param_groups[0]["params"][0].device
        self._groups: list[dict[str, Any]] = []
        self._own: list[Tensor] = []
        self._written: list[Any] = []
        self.tensors: list[Tensor] = []
        self.resolve()

    def resolve(self) -> None:
        self._groups = self._optimizer.param_groups
        while len(self._own) < len(self._groups):
            self._own.append(torch.zeros((), dtype=torch.float64, device=self._device))
        rates = [group["lr"] for group in self._groups]
        self.tensors = [r if isinstance(r, Tensor) else own for r, own in zip(rates, self._own, strict=False)]
        self._written = [None] * len(rates)

    def refresh(self) -> None:
        for index, group in enumerate(self._groups):
            rate = group["lr"]
            if rate is not self._written[index]:
                self._written[index] = rate
                if not isinstance(rate, Tensor):
                    self._own[index].fill_(rate)


class _CapturedGraph:
    """One compiled graph, bound to the tensors that it works on."""

    def __init__(
        self, trace: Trace, compiled: Compiled, *, key: Hashable, guards: CaptureGuards, rates: list[Tensor]
    ) -> None:
        self.key, self.trace, self.guards, self._compiled = key, trace, guards, compiled
        self._inputs = [*guards.tensors, *rates]
        self._constants, self._names, self._count = trace.constants, trace.metric_names, trace.count

    def rebind(self, guards: CaptureGuards, rates: list[Tensor]) -> None:
        """Work on other tensors from now on, for which the same graph holds."""
        self.guards = guards
        self._inputs = [*guards.tensors, *rates]

    def run(self, tensors: list[Tensor]) -> Loss:
        """One step; the compiled function empties the list that it is given."""
        inputs = self._inputs + tensors + self._constants
        _set_grad_enabled(False)
        try:
            outputs = self._compiled(inputs)
        finally:
            _set_grad_enabled(True)
        count = outputs[-1] if self._count is None else self._count
        if not self._names:
            return Loss(outputs[0], count)
        return Loss(outputs[0], count, dict(zip(self._names, outputs[1:], strict=False)))
