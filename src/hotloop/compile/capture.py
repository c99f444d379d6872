"""The whole gradient step captured as one graph, with guards for everything that a capture bakes in."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hotloop.compile.backends import Backend, Compiled, compile_graph
from hotloop.compile.batch import take_apart
from hotloop.compile.eager import EagerStep
from hotloop.compile.survey import Survey
from hotloop.compile.trace import Trace, trace_step
from hotloop.compile.update import StateMissing, check_optimizer, needs_state
from hotloop.errors import HotloopError
from hotloop.workload import Job, Loss

MAX_CAPTURES = 8
_set_grad_enabled = torch._C._set_grad_enabled  # pyright: ignore[reportPrivateUsage]


@dataclass(kw_only=True)
class Tally:
    """What this process captured so far: graphs, and steps made by them."""

    captures: int = 0
    steps: int = 0


tally = Tally()


class WholeStep:
    """A StepFunction that runs forward, loss, backward, clipping and update of a job as one compiled graph.

    Parameters, buffers and optimizer state are updated in place, so that both state_dicts stay valid. Before each step
    the guards are asked: shapes of the batch, modes, hooks, options of the optimizer, attributes. Where one fails, the
    step is captured again for what is there now, at most `MAX_CAPTURES` times. The learning rate is an input.
    The first step of a fresh optimizer that keeps state is eager: torch makes the state in it. Parameters hold no
    gradients afterwards. Attributes of nested Python objects (a config) are not guarded.
    Raises NotApplicable where the job cannot be captured, HotloopError at the ninth capture.
    """

    def __init__(self, job: Job, *, backend: Backend = "inductor", dtype: torch.dtype | None = None) -> None:
        check_optimizer(job.optimizer)
        Survey(job)
        self._job, self._dtype = job, dtype
        self._backend: Backend = backend
        self._rates = _Rates(job)
        self._captured: list[_Captured] = []
        self._last: _Captured | None = None

    def __call__(self, batch: Any) -> Loss:
        """One step on `batch`; nothing is read from the device, except where it has to be captured first."""
        tensors, key = take_apart(batch)
        captured = self._last
        if captured is None or captured.key != key or not captured.survey.holds():
            captured = self._find(batch, tensors, key)
            if captured is None:
                # Made here, because a scheduler replaces optimizer.step by its own.
                return EagerStep(self._job, dtype=self._dtype)(batch)
        self._rates.refresh()
        tally.steps += 1
        return captured.run(tensors)

    def _find(self, batch: Any, tensors: list[Tensor], key: Hashable) -> "_Captured | None":
        """The graph for this batch and the present state of the job; None where the optimizer must first make state."""
        self._last = self._still_good(key) or self._rebound(key) or self._capture(batch, tensors, key)
        return self._last

    def _still_good(self, key: Hashable) -> "_Captured | None":
        last = self._last
        if last is None:
            return None
        # A graph that trains other parameters leaves step counters apart that this one takes for equal.
        same = (captured for captured in self._captured if captured.trace.used == last.trace.used)
        return next((captured for captured in same if captured.key == key and captured.survey.holds()), None)

    def _rebound(self, key: Hashable) -> "_Captured | None":
        self._rates.resolve()
        survey = Survey(self._job)
        for captured in self._captured:
            if captured.key == key and captured.survey.fingerprint == survey.fingerprint:
                captured.bind(survey, self._rates.tensors)
                return captured
        return None

    def _capture(self, batch: Any, tensors: list[Tensor], key: Hashable) -> "_Captured | None":
        check_optimizer(self._job.optimizer)
        if needs_state(self._job.optimizer):
            return None
        if len(self._captured) == MAX_CAPTURES:
            raise HotloopError(
                f"a step was captured {MAX_CAPTURES} times and changed again; no more than {MAX_CAPTURES} variants are "
                "kept: keep shapes, modes, attributes and optimizer options the same between steps (drop_last, "
                "padding, cycle_momentum=False), or drop 'whole_step'"
            )
        survey = Survey(self._job)
        try:
            trace = trace_step(self._job, survey, batch, tensors=tensors, rates=self._rates.tensors, dtype=self._dtype)
        except StateMissing:
            return None
        inputs = [*survey.tensors, *self._rates.tensors]
        compiled = compile_graph(
            trace.graph, [*inputs, *tensors, *trace.constants], num_static=len(inputs), backend=self._backend
        )
        captured = _Captured(key=key, trace=trace, compiled=compiled)
        captured.bind(survey, self._rates.tensors)
        self._captured.append(captured)
        tally.captures += 1
        # A scheduler warns where it sees no call of optimizer.step before its own.
        self._job.optimizer._opt_called = True  # pyright: ignore[reportAttributeAccessIssue]
        return captured


class _Captured:
    """One compiled graph, bound to the tensors that it works on."""

    survey: Survey

    def __init__(self, *, key: Hashable, trace: Trace, compiled: Compiled) -> None:
        self.key, self.trace, self._compiled = key, trace, compiled
        self._inputs: list[Tensor] = []
        self._constants, self._names, self._count = trace.constants, trace.metric_names, trace.count

    def bind(self, survey: Survey, rates: list[Tensor]) -> None:
        """Work on the tensors of `survey` from now on."""
        self.survey = survey
        self._inputs = [*survey.tensors, *rates]

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


class _Rates:
    """The learning rate of each group as a tensor: the optimizer's own, or one that follows its float."""

    def __init__(self, job: Job) -> None:
        self._optimizer = job.optimizer
        self._device = job.optimizer.param_groups[0]["params"][0].device
        self._own: list[Tensor] = []
        self.tensors: list[Tensor] = []
        self._seen: list[Any] = []
        self.resolve()

    def resolve(self) -> None:
        """Look up afresh which groups there are and which of them hold a tensor."""
        self._groups = self._optimizer.param_groups
        while len(self._own) < len(self._groups):
            self._own.append(torch.zeros((), dtype=torch.float64, device=self._device))
        rates = [group["lr"] for group in self._groups]
        self.tensors = [r if isinstance(r, Tensor) else own for r, own in zip(rates, self._own, strict=False)]
        self._seen = [None] * len(rates)

    def refresh(self) -> None:
        """Write the floats that have changed into their tensors."""
        for place, group in enumerate(self._groups):
            rate = group["lr"]
            if rate is not self._seen[place]:
                self._seen[place] = rate
                if not isinstance(rate, Tensor):
                    self._own[place].fill_(rate)
