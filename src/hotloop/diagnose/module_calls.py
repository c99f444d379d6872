"""Calls of modules on a timeline, and the modules to which the nodes of a backward pass belong."""

from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.diagnose.call_sites import NOWHERE, CallSites, SourceLine
from hotloop.diagnose.module_hooks import hook_calls
from hotloop.diagnose.timeline import Timeline

_MOST_MODULES = 4000


@dataclass(eq=False, kw_only=True)
class TracedModule:
    """A module under hooks: its calls, and for a root the line that called it first."""

    module: nn.Module
    name: str
    parent: "TracedModule | None"
    calls: int = 0
    called_at: SourceLine = NOWHERE

    @property
    def root(self) -> "TracedModule":
        """The outermost module that contains it, or itself."""
        return self if self.parent is None else self.parent.root


class ModuleCalls:
    """Marks each call of a module, and in backward each node of the graph under the module that made it.

    A node carries the sequence number that torch counted when it was made, so that the module whose call was under way
    then is known without touching any tensor. `seconds` are what each module itself took in forward and backward,
    without its children, once the recording is over.
    """

    def __init__(self, call_sites: CallSites) -> None:
        self.modules: list[TracedModule] = []  # parents come before their children
        self.seconds: dict[TracedModule, float] = {}
        self._call_sites = call_sites
        self._timeline = Timeline()
        self._known: set[nn.Module] = set()
        self._owners: dict[int, TracedModule] = {}
        self._stack: list[TracedModule | None] = [None]
        self._numbers: list[int] = []
        self._makers: list[TracedModule | None] = []
        self._removals: list[Callable[[], None]] = []

    @contextmanager
    def recording(self, roots: Sequence[nn.Module], *, on_cuda: bool) -> Generator[None]:
        """Every module that is not inside of a compiled one has hooks."""
        for root in roots:
            self._trace(root, type(plain(root)).__name__, None)
        self._timeline.restart(on_cuda=on_cuda)
        yield
        for remove in self._removals:
            remove()
        self.seconds = dict.fromkeys(self.modules, 0.0)
        for module, seconds in self._timeline.spans():
            if module is not None:
                self.seconds[module] += seconds

    def step(self) -> None:
        """What comes between two steps belongs to no module."""
        self._stack = [None]
        self._timeline.mark(None)
        self._numbers.clear()
        self._makers.clear()

    def before_backward(self, tensors: Any) -> None:
        """Each node of the graph will mark its beginning; the end of backward is the end of the last one."""
        order = sorted(range(len(self._numbers)), key=lambda index: self._numbers[index])
        numbers, makers = [self._numbers[i] for i in order], [self._makers[i] for i in order]
        for node in _graph(tensors):
            node.register_prehook(self._marking(self._maker(node, numbers, makers)))
        self.after_backward()

    def after_backward(self) -> None:
        """Whoever called backward goes on."""
        self._timeline.mark(self._stack[-1])

    def _trace(self, module: nn.Module, name: str, parent: TracedModule | None) -> None:
        if len(self.modules) >= _MOST_MODULES or isinstance(module, torch.jit.ScriptModule):
            return
        traced = TracedModule(module=module, name=name, parent=parent)
        self.modules.append(traced)
        self._known.add(module)
        for parameter in module.parameters(recurse=False):
            self._owners.setdefault(id(parameter), traced)
        self._removals.append(hook_calls(module, lambda _: self._enter(traced), self._leave, outermost=True))
        if not is_compiled(module):
            for child_name, child in module.named_children():
                if child not in self._known:
                    self._trace(child, f"{name}.{child_name}", traced)

    def _enter(self, traced: TracedModule) -> None:
        self._stack.append(traced)
        traced.calls += 1
        if traced.parent is None and traced.calls == 1:
            traced.called_at = self._call_sites.current().source
        self._mark(traced)

    def _leave(self) -> None:
        """A call has ended; its caller goes on."""
        if len(self._stack) > 1:
            self._stack.pop()
        self._mark(self._stack[-1])

    def _mark(self, traced: TracedModule | None) -> None:
        number: int = torch.autograd._get_sequence_nr()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        self._numbers.append(number)
        self._makers.append(traced)
        self._timeline.mark(traced)

    def _maker(self, node: Any, numbers: Sequence[int], makers: Sequence[TracedModule | None]) -> TracedModule | None:
        variable = getattr(node, "variable", None)
        if variable is not None:  # it adds up a gradient: the parameter's owner is at work
            return self._owners.get(id(variable))
        index = bisect_right(numbers, node._sequence_nr()) - 1
        return makers[index] if index >= 0 else None

    def _marking(self, traced: TracedModule | None) -> Callable[[Any], None]:
        return lambda _gradients: self._timeline.mark(traced)


def plain(module: nn.Module) -> nn.Module:
    """The module that a compiled one wraps, or itself."""
    wrapped = getattr(module, "_orig_mod", None)
    return wrapped if isinstance(wrapped, nn.Module) else module


def is_compiled(module: nn.Module) -> bool:
    """Whether a call of this module goes to Dynamo."""
    return getattr(module, "_compiled_call_impl", None) is not None or type(module).__name__ == "OptimizedModule"


def _graph(tensors: Any) -> set[Any]:
    """All nodes of the graph behind these tensors."""
    outputs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    waiting = [t.grad_fn for t in outputs if isinstance(t, Tensor) and t.grad_fn is not None]
    seen: set[Any] = set()
    while waiting:
        node: Any = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions if following is not None)
    return seen
