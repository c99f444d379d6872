"""One gradient step traced to a graph of aten operations that updates the job's own tensors in place."""

import random
from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from hotloop.compile.batch import put_together
from hotloop.compile.eager import detached
from hotloop.compile.guards import CaptureGuards
from hotloop.compile.precision import autocast_to
from hotloop.compile.update import StateMissing, clip_in_place, update_in_place
from hotloop.errors import NotApplicable
from hotloop.workload import Job

NEEDS_VALUES = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    GuardOnDataDependentSymNode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A traced step.

    The inputs of `graph` are the guarded tensors, the learning rates, the tensors of the batch, then `constants`
    (tensors that the loss reads from elsewhere); its outputs are the loss, the metrics by `metric_names`, and the count
    where `count` is None. `used` tells which trained parameters had a gradient.
    """

    graph: fx.GraphModule
    constants: list[Tensor]
    metric_names: tuple[str, ...]
    count: int | None
    used: tuple[bool, ...]


def trace_step(
    job: Job,
    guards: CaptureGuards,
    batch: Any,
    *,
    tensors: list[Tensor],
    rates: list[Tensor],
    dtype: torch.dtype | None,
    reports_norm: bool = False,
) -> Trace:
    """The step of `job` on batches like this one, with its own parameters, buffers and optimizer state as inputs.

    Raises NotApplicable where the step reads a value from the device or changes Python state, StateMissing where the
    optimizer must step once before its state exists.
    """
    step = _Step(job, guards, batch, dtype=dtype, reports_norm=reports_norm)
    inputs = [*guards.tensors, *rates, *tensors]
    with _unchanged(job, guards):
        graph = traced(step, inputs, instead="drop 'whole_step'")
    constants = lift_constants(graph)
    if any(constant.requires_grad for constant in constants):
        raise NotApplicable(
            "the model uses a parameter by a way other than its attribute (nn.LSTM, nn.GRU and nn.RNN keep a list of "
            "theirs), so that a captured step cannot train it; drop 'whole_step'"
        )
    return Trace(
        graph=graph, constants=constants, metric_names=step.metric_names, count=step.count, used=tuple(step.used)
    )


def traced(function: Callable[..., Any], inputs: Sequence[Tensor], *, instead: str) -> fx.GraphModule:
    """The graph of a function of these inputs. Raises NotApplicable where it reads a value from the device.

    `instead` is what else its author may do.
    """
    try:
        return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
    except NEEDS_VALUES as error:
        raise NotApplicable(
            f"the step cannot become one graph, because it needs a value from the device to go on "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'}); "
            f"compute it with torch.where and fixed shapes, or {instead}"
        ) from error


class _Step:
    """The function that is traced; it notes what the outputs mean."""

    def __init__(
        self, job: Job, guards: CaptureGuards, batch: Any, *, dtype: torch.dtype | None, reports_norm: bool
    ) -> None:
        self._job, self._guards, self._batch, self._dtype = job, guards, batch, dtype
        self._reports_norm = reports_norm
        self.metric_names: tuple[str, ...] = ()
        self.count: int | None = None
        self.used: list[bool] = []

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        guards, job = self._guards, self._job
        num_tensors, num_groups = len(guards.tensors), len(job.optimizer.param_groups)
        stand_ins = {id(real): fake for real, fake in zip(guards.tensors, inputs, strict=False)}
        rates = list(inputs[num_tensors : num_tensors + num_groups])
        batch = put_together(self._batch, list(inputs[num_tensors + num_groups :]))
        with _swapped(guards, stand_ins), autocast_to(self._dtype, guards.trained):
            loss = job.strategy.loss(job.model, batch)
        grads = self._gradients(loss.value, stand_ins)
        if job.clip_norm is not None or self._reports_norm:
            norm = clip_in_place(list(grads.values()), job.clip_norm)
            if self._reports_norm:
                loss = loss._replace(metrics={**loss.metrics, "grad_norm": norm})
        update_in_place(job.optimizer, grads, stand_ins, rates=rates, sharing=guards.step_sharing)
        loss = detached(loss)
        self.metric_names = tuple(loss.metrics)
        outputs = (loss.value, *loss.metrics.values())
        if isinstance(loss.count, Tensor):
            return (*outputs, loss.count.detach())
        self.count = loss.count
        return outputs

    def _gradients(self, loss: Tensor, stand_ins: dict[int, Tensor]) -> dict[Tensor, Tensor]:
        trained = [p for p in self._guards.trained if p.requires_grad]
        found: Any = torch.autograd.grad(loss, [stand_ins[id(p)] for p in trained], allow_unused=True)
        # Cloned, because one tensor may be the gradient of two parameters, and clipping works in place.
        grads = {p: grad.clone() for p, grad in zip(trained, found, strict=True) if grad is not None}
        self.used = [p in grads for p in self._guards.trained]
        self._check_state(grads)
        return grads

    def _check_state(self, grads: dict[Tensor, Tensor]) -> None:
        for group in self._job.optimizer.param_groups:
            if group.get("momentum", 1) == 0:
                continue
            for parameter in group["params"]:
                state = self._job.optimizer.state.get(parameter, {})
                if parameter in grads and not any(isinstance(value, Tensor) for value in state.values()):
                    raise StateMissing


@contextmanager
def _swapped(guards: CaptureGuards, stand_ins: dict[int, Tensor]) -> Generator[None]:
    """While inside, everything that is guarded holds the stand-ins instead of the real tensors."""
    columns = zip(guards.objects.tables, guards.objects.keys, guards.objects.values, strict=True)
    entries = [(table, key, value) for table, key, value in columns if isinstance(value, Tensor)]
    for table, key, value in entries:
        table[key] = stand_ins[id(value)]
    replaced: list[str] = []
    try:
        yield
        replaced = [str(key) for table, key, value in entries if table[key] is not stand_ins[id(value)]]
    finally:
        for table, key, value in entries:
            table[key] = value
    if replaced:
        raise NotApplicable(
            f"the step puts a new tensor in place of {', '.join(replaced)}, which a captured step would not see; "
            "update it in place (copy_, add_), or drop 'whole_step'"
        )


@contextmanager
def _unchanged(job: Job, guards: CaptureGuards) -> Generator[None]:
    """Raises NotApplicable at the end where tracing changed Python attributes or drew Python's random numbers."""
    owners = [*guards.modules, job.strategy]
    tables = [(owner, getattr(owner, "__dict__", {})) for owner in owners]
    before = [dict(table) for _, table in tables]
    drawn, changed = host_generators(), list[str]()
    try:
        yield
    finally:
        for (owner, table), old in zip(tables, before, strict=True):
            changed += _restore(table, old, type(owner).__qualname__)
    if host_generators() != drawn:
        raise NotApplicable(
            "the step draws from the random generators of Python or NumPy, and a capture would freeze the draw; "
            "draw with torch, or drop 'whole_step'"
        )
    if changed:
        raise NotApplicable(
            f"the step changes the attribute {', '.join(changed)}, and a capture would change it only once; "
            "keep it in a buffer that is updated in place, or drop 'whole_step'"
        )


def _restore(table: dict[str, Any], old: dict[str, Any], owner: str) -> list[str]:
    changed = [name for name, value in table.items() if name not in old or old[name] is not value]
    if changed:
        table.clear()
        table.update(old)
    return [f"{owner}.{name}" for name in changed]


def host_generators() -> Hashable:
    name, words, *rest = np.random.get_state(legacy=True)
    return random.getstate(), name, bytes(np.asarray(words)), *rest


def lift_constants(graph: fx.GraphModule) -> list[Tensor]:
    """Makes inputs of the tensors that are not guarded, so that a step reads their present values."""
    constants: dict[str, Tensor] = {}
    last_input = [node for node in graph.graph.nodes if node.op == "placeholder"][-1]
    fake_mode = last_input.meta["val"].fake_mode
    for node in [node for node in graph.graph.nodes if node.op == "get_attr"]:
        value = getattr(graph, node.target)
        if not isinstance(value, Tensor) or isinstance(value, FakeTensor):
            continue
        with graph.graph.inserting_after(last_input):
            lifted = graph.graph.placeholder(f"constant_{len(constants)}")
        lifted.meta["val"] = fake_mode.from_tensor(value)
        node.replace_all_uses_with(lifted)
        graph.graph.erase_node(node)
        constants[lifted.name] = value
        last_input = lifted
    graph.recompile()
    return list(constants.values())
