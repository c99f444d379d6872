"""The share of each module in forward and backward, self and total, root to leaf."""

import inspect
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.diagnose.module_hooks import around
from hotloop.diagnose.timeline import Marks
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_MOST_LISTED = 60
_MOST_MODULES = 4000
_DOMINANT = 0.3
_NOBODY = -1


class Modules:
    """Marks each call of a module, and in backward each node of the graph under the module that made it.

    A node carries the sequence number that torch counted when it was made, so that the module whose call was under way
    then is known without touching any tensor.
    """

    name = "modules"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._marks = Marks()
        self._modules: list[nn.Module] = []
        self._known: set[nn.Module] = set()
        self._names: list[str] = []
        self._parents: list[int] = []
        self._owners: dict[int, int] = {}
        self._calls: list[int] = []
        self._places: dict[int, tuple[str, int]] = {}
        self._stack = [_NOBODY]
        self._numbers: list[int] = []
        self._makers: list[int] = []
        self._removals: list[Callable[[], None]] = []
        self._seconds: dict[int, float] = {}
        self._steps = 0

    def is_wanted(self) -> bool:
        """Where there is a root."""
        return bool(self._scene.roots)

    def open(self) -> None:
        """Hook every module that is not inside of a compiled one."""
        for root in self._scene.roots:
            self._follow(root, type(plain(root)).__name__, _NOBODY)
        self._marks.clear(on_cuda=self._scene.is_on_cuda)
        self._scene.before_backward.append(self._hook_graph)
        self._scene.after_backward.append(self._after_graph)

    def step(self) -> None:
        """What comes between two steps belongs to nobody."""
        self._steps += 1
        self._stack = [_NOBODY]
        self._marks.add(_NOBODY)
        self._numbers.clear()
        self._makers.clear()

    def close(self) -> None:
        """Take the hooks away."""
        self._scene.before_backward.remove(self._hook_graph)
        self._scene.after_backward.remove(self._after_graph)
        for remove in self._removals:
            remove()
        for key, seconds in self._marks.spans():
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds

    def report(self, step: StepTime) -> Report:
        """Modules with their shares, scaled to the forward and backward time of a step without spies."""
        training = step.shares.get("forward", 0.0) + step.shares.get("backward", 0.0)
        known = sum(seconds for key, seconds in self._seconds.items() if key != _NOBODY)
        if not known or not self._steps:
            return Report(data=[])
        own = {key: self._seconds.get(key, 0.0) / known * training for key in range(len(self._modules))}
        total = dict(own)
        for key in reversed(range(len(self._modules))):  # children come after their parents
            if self._parents[key] != _NOBODY:
                total[self._parents[key]] += total[key]
        order = sorted(total, key=lambda key: total[key], reverse=True)[:_MOST_LISTED]
        rows = [self._row(key, own[key], total[key]) for key in order if self._calls[key]]
        return Report(data=rows, findings=self._dominant(own, total))

    def enter(self, key: int) -> None:
        """A module is called."""
        self._stack.append(key)
        self._calls[key] += 1
        if self._parents[key] == _NOBODY and key not in self._places:
            self._places[key] = self._scene.places.look().place
        self._note(key)
        self._marks.add(key)

    def leave(self) -> None:
        """A call has ended; its caller goes on."""
        if len(self._stack) > 1:
            self._stack.pop()
        self._note(self._stack[-1])
        self._marks.add(self._stack[-1])

    def _note(self, key: int) -> None:
        number: int = torch.autograd._get_sequence_nr()  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        self._numbers.append(number)
        self._makers.append(key)

    def _follow(self, module: nn.Module, name: str, parent: int) -> None:
        if len(self._modules) >= _MOST_MODULES or isinstance(module, torch.jit.ScriptModule):
            return
        key = len(self._modules)
        self._modules.append(module)
        self._known.add(module)
        self._names.append(name)
        self._parents.append(parent)
        self._calls.append(0)
        for parameter in module.parameters(recurse=False):
            self._owners.setdefault(id(parameter), key)
        self._removals.extend(around(module, lambda _: self.enter(key), self.leave, outermost=True))
        if not is_compiled(module):
            for child_name, child in module.named_children():
                if child not in self._known:
                    self._follow(child, f"{name}.{child_name}", key)

    def _hook_graph(self, tensors: Any) -> None:
        """Each node of the graph will mark its beginning; the end of backward is the end of the last one."""
        seen: set[Any] = set()
        waiting = [t.grad_fn for t in _listed(tensors) if isinstance(t, Tensor) and t.grad_fn is not None]
        order = sorted(range(len(self._numbers)), key=lambda index: self._numbers[index])
        numbers, makers = [self._numbers[i] for i in order], [self._makers[i] for i in order]
        while waiting:
            node: Any = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            node.register_prehook(_Reached(self._marks, self._maker(node, numbers, makers)))
            waiting.extend(following for following, _ in node.next_functions if following is not None)
        self._after_graph()

    def _after_graph(self) -> None:
        self._marks.add(self._stack[-1])

    def _maker(self, node: Any, numbers: Sequence[int], makers: Sequence[int]) -> int:
        variable = getattr(node, "variable", None)
        if variable is not None:  # it adds up a gradient: the parameter's owner is at work
            return self._owners.get(id(variable), _NOBODY)
        index = bisect_right(numbers, node._sequence_nr()) - 1
        return makers[index] if index >= 0 else _NOBODY

    def _row(self, key: int, own: float, total: float) -> dict[str, Any]:
        path, line = self._defined(key)
        return {
            "name": self._names[key],
            "type": type(plain(self._modules[key])).__name__,
            "path": path,
            "line": line,
            "calls": self._calls[key] / self._steps,
            "self_share": own,
            "share": total,
            "amdahl_limit": bound(total),
            "compiled": is_compiled(self._modules[key]),
        }

    def _defined(self, key: int) -> tuple[str, int]:
        """Where its forward is written; for what torch itself wrote, where it was called."""
        forward = getattr(type(plain(self._modules[key])), "forward", None)
        code = getattr(inspect.unwrap(forward) if forward else None, "__code__", None)
        if code is None or not self._scene.places.is_own(code.co_filename):
            return self._places.get(key, ("", 0))
        return self._scene.places.original(code.co_filename), code.co_firstlineno

    def _dominant(self, own: dict[int, float], total: dict[int, float]) -> list[Finding]:
        """Roots that take much of the time, with the kinds of layers that it goes to."""
        roots = [key for key in total if self._parents[key] == _NOBODY and self._calls[key]]
        return [self._root_finding(key, own, total[key]) for key in roots if total[key] >= _DOMINANT]

    def _root_finding(self, best: int, own: dict[int, float], share: float) -> Finding:
        kinds: dict[str, float] = {}
        for key, part in own.items():
            if self._root_of(key) == best:
                kind = type(plain(self._modules[key])).__name__
                kinds[kind] = kinds.get(kind, 0.0) + part
        top = sorted(kinds.items(), key=lambda item: item[1], reverse=True)[:4]
        compiled = is_compiled(self._modules[best])
        path, line = self._defined(best)
        return Finding(
            code="CO05",
            path=path,
            line=line,
            per_step=self._calls[best] / self._steps,
            share=share,
            amdahl_limit=bound(share),
            transform=None if compiled else "compile",
            cure=(
                "it is compiled already; try autocast or channels_last"
                if compiled
                else "compile it, compute in lower precision (autocast), or restructure what dominates"
            ),
            message=(
                f"forward and backward of {self._names[best]} take {share:.0%} of a step: "
                + ", ".join(f"{kind} {part:.0%}" for kind, part in top if part >= 0.01)
            ),
            evidence={"module": self._names[best], **{f"share_{kind}": part for kind, part in top}},
        )

    def _root_of(self, key: int) -> int:
        while self._parents[key] != _NOBODY:
            key = self._parents[key]
        return key


def plain(module: nn.Module) -> nn.Module:
    """The module that a compiled one wraps, or itself."""
    wrapped = getattr(module, "_orig_mod", None)
    return wrapped if isinstance(wrapped, nn.Module) else module


def is_compiled(module: nn.Module) -> bool:
    """Whether a call of this module goes to Dynamo."""
    return getattr(module, "_compiled_call_impl", None) is not None or type(module).__name__ == "OptimizedModule"


class _Reached:
    def __init__(self, marks: Marks, key: int) -> None:
        self._marks, self._key = marks, key

    def __call__(self, _gradients: Any) -> None:
        self._marks.add(self._key)


def _listed(tensors: Any) -> Sequence[Any]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)
