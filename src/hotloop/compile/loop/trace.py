"""A region traced to a graph of aten operations: its function is called once, with stand-ins for all tensors."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.distributions import Distribution
from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx
from torch.optim import Optimizer
from torch.utils import _pytree as pytree

from hotloop.compile.loop.attributes import attribute, own_attribute
from hotloop.compile.loop.draws import Draw, take_draws
from hotloop.compile.loop.given import Given, dynamic_tensors, number_dtype
from hotloop.compile.loop.guards import RegionGuards
from hotloop.compile.loop.python_state import is_plain
from hotloop.compile.loop.state_before import StateBefore
from hotloop.compile.trace import NEEDS_VALUES, host_generators, lift_constants
from hotloop.compile.update import StateMissing, update_in_place
from hotloop.errors import NotApplicable


@dataclass(frozen=True, kw_only=True)
class TracedStep:
    """A step of an optimizer; in a watched run the outputs that are its gradients, and tensors as it left them."""

    optimizer: Optimizer
    gradients: list[tuple[Tensor, int]] = field(default_factory=list[tuple[Tensor, int]])
    tensors: list[tuple[Tensor, int]] = field(default_factory=list[tuple[Tensor, int]])


@dataclass(kw_only=True)
class RegionTrace:
    """A traced region.

    The inputs of `graph` are the guarded tensors, entry gradients of `accumulated`, learning rates, numbers, tensors of
    the values, `constants`, then what is drawn. `outputs` says for each output of the region, flattened by `shape`,
    where it comes from: the graph, what was given, or a constant. `steps` are in order; `losses` are outputs, each with
    the number of steps before it. `gradients` says what is left.
    """

    graph: fx.GraphModule
    draws: list[Draw]
    roots: list[nn.Module]
    constants: list[Tensor] = field(default_factory=list[Tensor])
    accumulated: list[Tensor] = field(default_factory=list[Tensor])
    reads_gradients: bool = False
    shape: Any = None
    outputs: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    losses: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    steps: list[TracedStep] = field(default_factory=list[TracedStep])
    gradients: list[tuple[Tensor, int | None]] = field(default_factory=list[tuple[Tensor, int | None]])


def trace_region(
    function: Callable[..., Any], given: Given, guards: RegionGuards, *, rates: list[list[Tensor]], watched: bool
) -> RegionTrace:
    """Trace a region. Raises NotApplicable, with the line where there is one, and StateMissing.

    Entry gradients are inputs only where the region reads them: a first trace pretends that each parameter has one.
    """
    trace, used = _traced(function, given, guards, guards.leaves, rates=rates, watched=watched)
    if used:
        present = [leaf for leaf in guards.leaves if leaf.grad is not None]
        trace, _ = _traced(function, given, guards, present, rates=rates, watched=watched)
        trace.accumulated, trace.reads_gradients = present, True
    else:
        _drop_unused(trace.graph, len(guards.tensors), len(guards.leaves))
    return trace


def _traced(
    function: Callable[..., Any],
    given: Given,
    guards: RegionGuards,
    with_gradient: list[Tensor],
    *,
    rates: list[list[Tensor]],
    watched: bool,
) -> tuple[RegionTrace, bool]:
    run = _TracedRun(function, given, guards, with_gradient, watched=watched)
    flat_rates = [rate for group in rates for rate in group]
    run.rates = [len(group) for group in rates]
    gradients = [torch.empty_like(leaf) for leaf in with_gradient]
    numbers = [torch.tensor(given.values[n], dtype=number_dtype(given.values[n], guards)) for n in given.numbers]
    inputs = [*guards.tensors, *gradients, *flat_rates, *numbers, *dynamic_tensors(given)]
    drawn, stream = host_generators(), torch.get_rng_state()
    with _restoring(guards):
        try:
            graph = make_fx(run, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)
        except NEEDS_VALUES as error:
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise NotApplicable(f"it needs a value from the device to go on ({what})") from error
        finally:  # also where it raised: the program's own statements then draw
            torch.set_rng_state(stream)
    if host_generators() != drawn:
        raise NotApplicable("it draws from the random generators of Python or NumPy")
    _check_constants(graph)
    constants = lift_constants(graph)
    draws = take_draws(graph, run.call_of)
    used = _are_used(graph, len(guards.tensors), len(with_gradient))
    trace = run.trace
    trace.graph, trace.draws, trace.constants = graph, draws, constants
    return trace, used


class _TracedRun:
    """The function that is traced, and what it notes."""

    def __init__(
        self,
        function: Callable[..., Any],
        given: Given,
        guards: RegionGuards,
        with_gradient: list[Tensor],
        *,
        watched: bool,
    ) -> None:
        self._function, self._given, self._guards, self._with_gradient = function, given, guards, with_gradient
        self._watched = watched
        self.rates: list[int] = []
        self._outputs: list[Tensor] = []
        self._marks: list[tuple[int, Tensor, int]] = []
        self._calls: list[set[str]] = []
        self._depth = 0
        self._stand_ins: dict[int, Tensor] = {}
        self._rates: list[list[Tensor]] = []
        self.trace = RegionTrace(graph=fx.GraphModule({}, fx.Graph()), draws=[], roots=[])

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        guards, given = self._guards, self._given
        rest = list(inputs)
        self._stand_ins = {id(t): s for t, s in zip(guards.tensors, _take(rest, len(guards.tensors)), strict=True)}
        entry = dict(zip(map(id, self._with_gradient), _take(rest, len(self._with_gradient)), strict=True))
        self._rates = [_take(rest, count) for count in self.rates]
        numbers = dict(zip(given.numbers, _take(rest, len(given.numbers)), strict=True))
        real: dict[int, tuple[str, Any]] = {id(self._stand_ins[id(t)]): ("constant", t) for t in guards.tensors}
        real.update({id(stand_in): ("number", n) for n, stand_in in numbers.items()})
        values = [self._value(n, value, numbers, rest, real) for n, value in enumerate(given.values)]
        for tensor in guards.tensors:
            if tensor.is_leaf:
                self._stand_ins[id(tensor)].grad = entry.get(id(tensor))
        with self._in_place():
            result = self._function(self._mark, *given.tests, *values)
        for line, tensor, version in self._marks:
            if tensor._version != version:
                raise NotApplicable(f"line {line} reads a tensor that is changed in place before the step has ended")
        self._note_outputs(result, real)
        self._note_gradients(entry)
        return self._outputs

    def _value(
        self, number: int, value: Any, numbers: dict[int, Tensor], rest: list[Tensor], real: dict[int, tuple[str, Any]]
    ) -> Any:
        if number in numbers:
            return numbers[number]
        if number not in self._given.dynamic:
            return self._stand_ins.get(id(value), value) if isinstance(value, Tensor) else value
        leaves, shape = pytree.tree_flatten(value)
        made: list[Any] = []
        for leaf in leaves:
            if isinstance(leaf, (Tensor, np.ndarray)):
                stand_in = rest.pop(0)
                real[id(stand_in)] = ("given", (number, len(made)))
                made.append(stand_in)
            else:
                made.append(leaf)
        return pytree.tree_unflatten(made, shape)

    def _mark(self, line: int, *values: Any) -> None:
        """A statement that is moved behind the graph would read these here."""
        for value in values:
            if isinstance(value, Tensor):
                self._marks.append((line, value, value._version))
            elif isinstance(value, (list, tuple, dict, set)) or type(value).__name__ in ("deque", "defaultdict"):
                self._mark(
                    line, *[v for v in (value.values() if isinstance(value, dict) else value) if isinstance(v, Tensor)]
                )
            elif isinstance(value, (nn.Module, Optimizer)) or not (
                is_plain(value) or callable(value) or isinstance(value, (ModuleType, np.ndarray))
            ):
                raise NotApplicable(f"line {line} reads a {type(value).__qualname__} that the step may have changed")

    @contextmanager
    def _in_place(self) -> Generator[None]:
        """Stand-ins where the real tensors are, and backward and the optimizers' methods as a graph can hold them."""
        swaps = self._guards.swaps()
        call: Any = nn.Module._wrapped_call_impl  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage]
        with ExitStack() as stack:
            for table, key, value in swaps:
                stack.callback(_put, table, key, value)
                table[key] = self._stand_ins[id(value)]
            for optimizer in self._guards.optimizers:
                stack.enter_context(self._optimizer_traced(optimizer))
            # Checks of arguments read the device.
            stack.enter_context(attribute(Distribution, "_validate_args", False))
            stack.enter_context(attribute(nn.Module, "__call__", self._calling(call)))
            # A bound method in a class would not be called with the tensor.
            backward = _as_function(self._backward)
            stack.enter_context(attribute(Tensor, "backward", backward))
            stack.enter_context(attribute(torch.autograd, "backward", backward))
            yield
            replaced = [key for table, key, value in swaps if table[key] is not self._stand_ins[id(value)]]
            if replaced:
                raise NotApplicable(f"it puts a new tensor in place of {', '.join(map(str, replaced))}")

    def _calling(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            start = len(_graph_nodes())
            try:
                return call(module, *args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.trace.roots.append(module)
                    self._calls.append({node.name for node in _graph_nodes()[start:]})

        return called

    def call_of(self, name: str) -> int:
        """In which outermost call of a module a node was made."""
        return next((number for number, names in enumerate(self._calls) if name in names), -1)

    @contextmanager
    def _optimizer_traced(self, optimizer: Optimizer) -> Generator[None]:
        groups = optimizer.param_groups
        stand_ins = [{**g, "params": [self._stand_ins[id(p)] for p in g["params"]]} for g in groups]
        number = self._guards.optimizers.index(optimizer)

        def step(closure: Any = None) -> None:
            if closure is not None:
                raise NotApplicable("optimizer.step takes a closure")
            optimizer.param_groups = groups
            try:
                self._step(optimizer, self._rates[number], self._guards.sharing[number])
            finally:
                optimizer.param_groups = stand_ins

        def zero_grad(set_to_none: bool = True) -> None:
            for group in stand_ins:
                for parameter in group["params"]:
                    if set_to_none:
                        parameter.grad = None
                    elif parameter.grad is not None:
                        parameter.grad.zero_()

        with own_attribute(optimizer, "step", step), own_attribute(optimizer, "zero_grad", zero_grad):
            optimizer.param_groups = stand_ins
            try:
                yield
            finally:
                optimizer.param_groups = groups

    def _step(self, optimizer: Optimizer, rates: list[Tensor], sharing: tuple[int, ...]) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        grads = {p: g for p in parameters if (g := self._stand_ins[id(p)].grad) is not None}
        for group in optimizer.param_groups:
            keeps = group.get("momentum", 1) != 0
            for p in group["params"]:
                if keeps and p in grads and not any(isinstance(v, Tensor) for v in optimizer.state.get(p, {}).values()):
                    raise StateMissing
        step = TracedStep(optimizer=optimizer)
        self.trace.steps.append(step)
        if self._watched:
            step.gradients.extend((p, self._output(g.detach().clone())) for p, g in grads.items())
        update_in_place(optimizer, grads, dict(self._stand_ins), rates=rates, sharing=sharing)
        if self._watched:
            tensors = self._guards.tensors
            step.tensors.extend((t, self._output(self._stand_ins[id(t)].detach().clone())) for t in tensors)

    def _backward(
        self,
        loss: Any,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
        **_: Any,
    ) -> None:
        if create_graph or inputs is not None or not isinstance(loss, Tensor):
            raise NotApplicable("backward is called for several losses, with inputs or with create_graph")
        self.trace.losses.append((self._output(loss.detach().clone()), len(self.trace.steps)))
        leaves = [self._stand_ins[id(leaf)] for leaf in self._guards.leaves]
        found: Any = torch.autograd.grad(loss, leaves, gradient, retain_graph=retain_graph, allow_unused=True)
        with torch.no_grad():
            for leaf, grad in zip(leaves, found, strict=True):
                if grad is None:
                    continue
                if leaf.grad is None:
                    # Cloned, because one tensor may be the gradient of two parameters, and clipping works in place.
                    leaf.grad = grad.detach().clone()
                else:
                    leaf.grad.add_(grad.detach())

    def _output(self, tensor: Tensor) -> int:
        self._outputs.append(tensor)
        return len(self._outputs) - 1

    def _note_outputs(self, result: Any, real: dict[int, tuple[str, Any]]) -> None:
        leaves, self.trace.shape = pytree.tree_flatten(result)
        for leaf in leaves:
            if id(leaf) in real:
                self.trace.outputs.append(real[id(leaf)])
            elif isinstance(leaf, Tensor):
                self.trace.outputs.append(("graph", self._output(leaf.detach())))
            elif is_plain(leaf) or any(leaf is value for value in self._given.values):
                self.trace.outputs.append(("constant", leaf))
            else:
                raise NotApplicable(f"what it writes holds a {type(leaf).__qualname__}, which no graph can give back")

    def _note_gradients(self, entry: dict[int, Tensor]) -> None:
        for leaf in self._guards.leaves:
            stand_in = self._stand_ins[id(leaf)]
            is_kept = stand_in.grad is entry.get(id(leaf))
            if is_kept and stand_in.grad is not None:
                continue
            self.trace.gradients.append((leaf, None if stand_in.grad is None else self._output(stand_in.grad.detach())))
            stand_in.grad = None


def _as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return function


def _take(items: list[Any], count: int) -> list[Any]:
    taken, items[:] = items[:count], items[count:]
    return taken


def _put(table: Any, key: Any, value: Any) -> None:
    table[key] = value


def _graph_nodes() -> list[fx.Node]:
    mode: Any = get_proxy_mode()
    return list(mode.tracer.graph.nodes)


@contextmanager
def _restoring(guards: RegionGuards) -> Generator[None]:
    """Python state is put back where tracing has changed some. Raises NotApplicable then."""
    kept = StateBefore(guards)
    try:
        yield
    finally:
        changed = kept.restore()
    if changed:
        names = ", ".join(dict.fromkeys(changed))
        raise NotApplicable(f"it changes Python state (an attribute, a global or an element of a list): {names}")


def _check_constants(graph: fx.GraphModule) -> None:
    """Tensors made from numbers in the region are constants; any other real tensor came past the guards."""
    held = [n for n in graph.graph.nodes if n.op == "get_attr" and isinstance(getattr(graph, n.target, None), Tensor)]
    if any("lift_fresh" not in str(user.target) for node in held for user in node.users):
        raise NotApplicable("it reads a tensor by a way that cannot be guarded")


def _are_used(graph: fx.GraphModule, start: int, count: int) -> bool:
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    return any(node.users for node in placeholders[start : start + count])


def _drop_unused(graph: fx.GraphModule, start: int, count: int) -> None:
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    for node in placeholders[start : start + count]:
        graph.graph.erase_node(node)
    graph.recompile()
