"""Counters: operators, host reads and transfers of a piece of code, and graphs that Dynamo hands to a backend."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_READS = {
    _aten._local_scalar_dense.default,
    _aten.nonzero.default,
    _aten._unique2.default,
    _aten.unique_consecutive.default,
    _aten.masked_select.default,
    _aten.equal.default,
}
_NOT_COMPUTING = {_aten.detach.default}


class Spy:
    """Counts what runs inside `with spy:`; the dispatcher and Python's names each see what the other cannot.

    `operators`: what reaches the dispatcher, backward included. `reads`: places where the host waits for a value or a
    shape (item, bool, nonzero, unique, boolean indexing, tolist). `transfers`: calls of cpu(), each of which is a copy
    on a GPU and nothing on a CPU. `inside` is free for a mark: the reads seen up to some point.
    """

    inside: int | None = None

    def __init__(self) -> None:
        self.operators = self.reads = self.transfers = 0
        self._modes = (_Dispatched(self), _Called(self))

    def __enter__(self) -> "Spy":
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*raised)


class _Dispatched(TorchDispatchMode):
    def __init__(self, spy: Spy) -> None:
        super().__init__()
        self._spy = spy

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._spy.operators += func not in _NOT_COMPUTING
        self._spy.reads += func in _READS or (func is _aten.index.Tensor and _has_mask(args[1]))
        return func(*args, **(kwargs or {}))


class _Called(TorchFunctionMode):
    def __init__(self, spy: Spy) -> None:
        super().__init__()
        self._spy = spy

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._spy.reads += func is torch.Tensor.tolist
        self._spy.transfers += func is torch.Tensor.cpu
        return func(*args, **(kwargs or {}))


def _has_mask(indices: Any) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


class CountingBackend:
    """A backend for torch.compile that compiles nothing and counts the graphs it was given."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward


def graph_breaks(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Mapping[str, int]:
    """How many graphs Dynamo makes of one call, and how often it has to stop in between."""
    torch._dynamo.reset()
    found = torch._dynamo.explain(function)(*args, **kwargs)
    torch._dynamo.reset()
    return {"graphs": found.graph_count, "breaks": found.graph_break_count}
