"""The compiled call of a module whose graph changes while it trains, and which says by `graph_key()` which one it has.

Dynamo keeps what it compiled by code object, at most eight variants of each: a model that grows would use them up and
run eagerly from then on. Here each graph has a code object of its own, made when it is first met and found again later.
"""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import nn

from hotloop.compile.by_architecture import own_code


class EachArchitecture:
    """Calls `call` of a module, compiled for each graph, mode and gradient mode that it is called in.

    `how` are the options of torch.compile. What is asked before a call is `graph_key()` alone: tensors are left to
    Dynamo's guards.
    """

    def __init__(self, module: nn.Module, call: Callable[..., Any], how: dict[str, Any]) -> None:
        graph_key: Any = module.graph_key
        self._graph_key: Callable[[], Hashable] = graph_key
        self._module, self._call, self._how = module, call, how
        self._compiled: dict[Hashable, Callable[..., Any]] = {}

    @property
    def num_architectures(self) -> int:
        """How many were met so far."""
        return len(self._compiled)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The outputs of the module."""
        key = self._graph_key(), self._module.training, torch.is_grad_enabled()
        compiled = self._compiled.get(key)
        if compiled is None:
            named = own_code(self._call, f"{type(self._module).__name__} {len(self._compiled) + 1}")
            compiled = self._compiled[key] = torch.compile(named, **self._how)
        return compiled(*args, **kwargs)


def tells_its_graph(module: nn.Module) -> bool:
    """Whether a module has a method `graph_key`."""
    return callable(getattr(module, "graph_key", None))
