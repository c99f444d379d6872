"""A region as one compiled graph, for values of one kind and one state of what it can reach."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.compile.backends import Backend, compile_graph
from hotloop.compile.capture import RateTensors
from hotloop.compile.loop.given import Given, dynamic_tensors, number_dtype
from hotloop.compile.loop.guards import RegionGuards, own_hooks
from hotloop.compile.loop.listeners import listeners
from hotloop.compile.loop.step_counters import step_counters
from hotloop.compile.loop.trace import TracedStep, trace_region

_set_grad_enabled = torch._C._set_grad_enabled  # pyright: ignore[reportPrivateUsage]


class Variant:
    """One captured graph. `fits` says whether it may run on these values now; `run` makes the step.

    Raises NotApplicable and StateMissing where the region cannot be traced.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        given: Given,
        guards: RegionGuards,
        *,
        backend: Backend = "inductor",
        noted: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.guards, self._given = guards, given
        self._rates = [RateTensors(optimizer) for optimizer in guards.optimizers]
        self._token = object()
        self._watched = listeners.around_root is not None
        self._kinds = {n: kind_of(given.values[n]) for n in given.dynamic}
        self._fixed = [n for n in range(len(given.values)) if n not in given.dynamic and n not in given.numbers]
        rates = [rates.tensors for rates in self._rates]
        with noted():
            self.trace = trace_region(function, given, guards, rates=rates, watched=self._watched)
        self._plain_outputs = _plain_outputs(self.trace.outputs, self.trace.shape)
        steps = self.trace.steps
        self._losses = [[number for number, n in self.trace.losses if n == before] for before in range(len(steps) + 1)]
        stepped = {id(step.optimizer) for step in steps}
        pairs = zip(guards.optimizers, guards.sharing, strict=True)
        self._sharing = [(optimizer, sharing) for optimizer, sharing in pairs if id(optimizer) in stepped]
        self._has_gradient = {id(leaf) for leaf in self.trace.accumulated}
        static = [*guards.tensors, *[leaf.grad for leaf in self.trace.accumulated if leaf.grad is not None]]
        written = [t for t, node in zip(static, self.trace.graph.graph.nodes, strict=False) if _is_written(node)]
        guards.check_memory(set(map(id, written)))
        self._check_given(len(static))
        self.numbers = [torch.zeros((), dtype=number_dtype(given.values[n], guards)) for n in given.numbers]
        for rates_of in self._rates:
            rates_of.refresh()
        inputs = self._inputs(given.values)
        drawn = self._keeping_stream()
        self._compiled: Callable[[list[Tensor]], Sequence[Tensor]] = compile_graph(
            self.trace.graph, [*inputs, *drawn], num_static=len(guards.tensors), backend=backend
        )
        kept = tuple(None if n in given.dynamic else value for n, value in enumerate(given.values))
        self._given = replace(given, values=kept)  # a batch must not live for as long as its graph
        for optimizer in guards.optimizers:
            # A scheduler warns where it sees no call of optimizer.step before its own.
            optimizer._opt_called = True  # pyright: ignore[reportAttributeAccessIssue]

    def fits(self, given: Given) -> bool:
        """Whether values and state are those that the graph was made for."""
        mine = self._given
        return (
            self.is_of_kind(given)
            and given.numbers == mine.numbers
            and all(_is_same(given.values[n], mine.values[n]) for n in self._fixed)
            and all(type(given.values[n]) is type(mine.values[n]) for n in mine.numbers)
            and self._has_same_gradients()
            and self.guards.holds(given.modes)
            and self._has_same_counters()
        )

    def is_of_kind(self, given: Given) -> bool:
        """Whether it is made for such a batch, be it of this model or of another."""
        mine = self._given
        kinds = self._kinds.items()
        return (
            given.tests == mine.tests
            and given.dynamic == mine.dynamic
            and all(kind_of(given.values[n]) == kind for n, kind in kinds)
        )

    def run(self, given: Given) -> Any:
        """One step: what the region's function would have returned."""
        inputs = self._inputs(given.values)
        inputs += self._drawn()
        outputs = self._call(inputs)
        self._tell(outputs)
        for step in self.trace.steps:
            step_counters.stepped(step.optimizer, self._token)
        for leaf, number in self.trace.gradients:
            leaf.grad = None if number is None else outputs[number]
        return self._result(outputs, given)

    def copies(self, given: Given) -> list[Tensor]:
        """Copies of all inputs of the graph but what is drawn, as they are now."""
        return [_copy(tensor.detach()) for tensor in self._inputs(given.values)]

    def on_copies(self, copies: list[Tensor], drawn: list[Tensor]) -> Sequence[Tensor]:
        """The step on copies, with these random numbers: what the graph gives."""
        return self._call([*copies, *drawn])

    def _has_same_counters(self) -> bool:
        return all(step_counters.are_shared(optimizer, self._token, sharing) for optimizer, sharing in self._sharing)

    def _has_same_gradients(self) -> bool:
        if not self.trace.reads_gradients:
            return True
        known = self._has_gradient
        if any((leaf.grad is not None) != (id(leaf) in known) for leaf in self.guards.leaves):
            return False
        return all(leaf.grad is not None and leaf.grad.stride() == leaf.stride() for leaf in self.trace.accumulated)

    def _check_given(self, num_static: int) -> None:
        from hotloop.errors import NotApplicable

        placeholders = [node for node in self.trace.graph.graph.nodes if node.op == "placeholder"]
        rates = sum(len(rates.tensors) for rates in self._rates)
        start = num_static + rates
        count = len(self._given.numbers) + len(dynamic_tensors(self._given))
        if any(_is_written(node) for node in placeholders[start : start + count]):
            raise NotApplicable("it changes in place a tensor that it was given")

    def _inputs(self, values: tuple[Any, ...]) -> list[Tensor]:
        given = self._given
        for rates in self._rates:
            rates.refresh()
        for tensor, number in zip(self.numbers, given.numbers, strict=True):
            tensor.fill_(values[number])
        inputs = list(self.guards.tensors)
        inputs += [leaf.grad for leaf in self.trace.accumulated if leaf.grad is not None]  # guards ask that it is there
        for rates in self._rates:
            inputs += rates.tensors
        inputs += self.numbers
        for number in given.dynamic:
            value = values[number]
            if type(value) is Tensor:
                inputs.append(value)
            else:
                inputs += _tensors_in(value)
        inputs += self.trace.constants
        return inputs

    def _drawn(self) -> list[Tensor]:
        around = listeners.around_root
        if around is None:
            return [draw() for draw in self.trace.draws]
        drawn = [draw() if draw.call < 0 else None for draw in self.trace.draws]
        for number, root in enumerate(self.trace.roots):
            with around(root):
                for index, draw in enumerate(self.trace.draws):
                    if draw.call == number:
                        drawn[index] = draw()
        return [tensor for tensor in drawn if tensor is not None]

    def _keeping_stream(self) -> list[Tensor]:
        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
        with torch.random.fork_rng(devices):
            return [draw() for draw in self.trace.draws]

    def _call(self, inputs: list[Tensor]) -> Sequence[Tensor]:
        _set_grad_enabled(False)
        try:
            return self._compiled(inputs)
        finally:
            _set_grad_enabled(True)

    def _tell(self, outputs: Sequence[Tensor]) -> None:
        """Losses and steps, in the order of the plain step."""
        on_loss = listeners.on_loss
        for losses, step in zip(self._losses, self.trace.steps, strict=False):
            if on_loss is not None:
                for number in losses:
                    on_loss(outputs[number])
            if self._watched:
                self._show(step, outputs)
            else:
                for hook in own_hooks(step.optimizer, post=True):
                    hook(step.optimizer, (step.optimizer,), {})
        if on_loss is not None:
            for number in self._losses[-1]:
                on_loss(outputs[number])

    def _show(self, step: TracedStep, outputs: Sequence[Tensor]) -> None:
        """A watched step, whose hooks must see what they would have seen between the statements of the plain one."""
        optimizer = step.optimizer
        for leaf, number in step.gradients:
            leaf.grad = outputs[number]
        for hook in own_hooks(optimizer, post=False):
            hook(optimizer, (optimizer,), {})
        at_the_end = [(tensor, tensor.detach().clone()) for tensor, _ in step.tensors]
        for tensor, number in step.tensors:
            tensor.data.copy_(outputs[number])
        for hook in own_hooks(optimizer, post=True):
            hook(optimizer, (optimizer,), {})
        for tensor, value in at_the_end:
            tensor.data.copy_(value)

    def _result(self, outputs: Sequence[Tensor], given: Given) -> Any:
        if self._plain_outputs is not None:
            return tuple([outputs[number] for number in self._plain_outputs])
        leaves: list[Any] = []
        for kind, what in self.trace.outputs:
            match kind:
                case "graph":
                    leaves.append(outputs[what])
                case "given":
                    leaves.append(pytree.tree_leaves(given.values[what[0]])[what[1]])
                case "number":
                    leaves.append(given.values[what])
                case _:
                    leaves.append(what)
        return pytree.tree_unflatten(leaves, self.trace.shape)


def _copy(tensor: Tensor) -> Tensor:
    """A copy with the same strides, by which the graph reads; `clone` would make a slice of columns dense."""
    if not tensor.numel():
        return tensor.clone()
    length = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((length,), (1,)).clone().as_strided(tensor.shape, tensor.stride())


def _plain_outputs(outputs: list[tuple[str, Any]], shape: Any) -> list[int] | None:
    """The numbers of the graph's outputs where the region writes a flat tuple of them, which is quicker to make."""
    is_flat = shape == pytree.tree_structure(tuple(range(len(outputs))))
    return [what for _, what in outputs] if is_flat and all(kind == "graph" for kind, _ in outputs) else None


def _tensors_in(value: Any) -> list[Tensor]:
    leaves = pytree.tree_leaves(value)
    made = [torch.from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
    return [leaf for leaf in made if isinstance(leaf, Tensor)]


def _is_written(node: Any) -> bool:
    """Whether an operator changes a graph's input, or a view of it, in place."""
    for user in node.users:
        schema = getattr(user.target, "_schema", None)
        if schema is None:
            continue
        for argument, value in zip(schema.arguments, user.args, strict=False):
            info = argument.alias_info
            holds = value is node or (isinstance(value, (list, tuple)) and any(v is node for v in value))
            if holds and info is not None and info.is_write:
                return True
            if holds and info is not None and _is_written(user):
                return True
    return False


def kind_of(value: Any) -> Any:
    """What must be equal for a graph to take another value in place of this one."""
    if isinstance(value, Tensor):
        return (type(value), value.shape, value.stride(), value.dtype, value.device)
    if isinstance(value, np.ndarray):
        return (np.ndarray, value.shape, value.strides, value.dtype)
    leaves, shape = pytree.tree_flatten(value)
    facts = [kind_of(v) if isinstance(v, (Tensor, np.ndarray)) else (type(v), v) for v in leaves]
    return (shape, *facts)


def _is_same(now: Any, then: Any) -> bool:
    return now is then or (type(now) is type(then) and isinstance(now, (int, float, str)) and now == then)
