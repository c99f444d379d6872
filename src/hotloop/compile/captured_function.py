"""A function through a module, without gradients, captured as one graph for each shape of its inputs."""

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn

from hotloop.compile.backends import Backend, Compiled, compile_graph
from hotloop.compile.trace import traced


class CapturedFunction:
    """`function(module, *inputs)` as a compiled graph; parameters and buffers are inputs, so that they may change.

    The function takes tensors (or None) and returns a tuple of tensors; it neither draws random numbers nor reads from
    the device, and does not change the module. What else it depends on (modes, attributes) is constant from its first
    call on. A new shape of an input is captured anew. Raises NotApplicable where it reads a value after all.
    """

    def __init__(
        self,
        module: nn.Module,
        function: Callable[..., tuple[Tensor, ...]],
        *,
        backend: Backend = "inductor",
    ) -> None:
        self._holder = _Holder(module, function)
        self._backend: Backend = backend
        named = {**dict(self._holder.named_parameters()), **dict(self._holder.named_buffers())}
        self._names, self._state = list(named), list(named.values())
        self._graphs: dict[Hashable, Compiled] = {}

    @property
    def captures(self) -> int:
        """How many graphs there are."""
        return len(self._graphs)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        """What the function returns."""
        tensors = [value for value in inputs if value is not None]
        key = tuple(None if value is None else (value.shape, value.stride(), value.dtype) for value in inputs)
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._graphs[key] = self._captured(inputs, tensors)
        # The compiled function empties the list that it is given.
        return tuple(graph([*self._state, *tensors]))

    def _captured(self, inputs: tuple[Tensor | None, ...], tensors: list[Tensor]) -> Compiled:
        def call(*flat: Tensor) -> Any:
            state = dict(zip(self._names, flat, strict=False))
            rest = iter(flat[len(self._names) :])
            given = tuple(None if value is None else next(rest) for value in inputs)
            return tuple(torch.func.functional_call(self._holder, state, given))  # inductor takes no named tuple

        values = [*(value.detach() for value in self._state), *tensors]
        graph = traced(call, values, instead="leave out compile='step'")
        # Not static: a flat step gives parameters other memory.
        return compile_graph(graph, values, num_static=0, backend=self._backend)


class _Holder(nn.Module):
    """The function as a module around the module, so that torch can put other tensors in its place."""

    def __init__(self, module: nn.Module, function: Callable[..., tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.module = module
        self._function = function

    def forward(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        return self._function(self.module, *inputs)
