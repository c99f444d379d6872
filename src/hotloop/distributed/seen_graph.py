"""Whether a model's graph is the same in each step, and which of its parameters are not in it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves  # pyright: ignore[reportPrivateUsage]

_LOOKED_AT = 10  # forward passes; the walk takes about as long as one of them


class SeenGraph:
    """Follows the first ten forward passes with gradients of `module`; call `close` to stop earlier.

    `kinds` counts the different graphs so far, by the operations from the outputs back to the parameters. `unused` are
    names of parameters that some pass did not reach.
    """

    def __init__(self, module: nn.Module) -> None:
        self.num_passes = 0
        self.unused: set[str] = set()
        self._graphs: set[tuple[str, ...]] = set()
        self._names = {id(parameter): name for name, parameter in module.named_parameters() if parameter.requires_grad}
        self._handle = module.register_forward_hook(self._after_forward)

    @property
    def kinds(self) -> int:
        """How many different graphs there were."""
        return len(self._graphs)

    def close(self) -> None:
        """Look at no further pass."""
        self._handle.remove()

    def _after_forward(self, _module: nn.Module, _inputs: Any, outputs: Any) -> None:
        if not torch.is_grad_enabled():
            return
        roots = [leaf.grad_fn for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor) and leaf.grad_fn is not None]
        names, reached = _walk(roots)
        self._graphs.add(names)
        self.unused |= {name for identity, name in self._names.items() if identity not in reached}
        self.num_passes += 1
        if self.num_passes == _LOOKED_AT:
            self.close()


def _walk(roots: list[Any]) -> tuple[tuple[str, ...], set[int]]:
    """Names of all nodes, in the order of a walk back from the outputs, and the identities of parameters reached."""
    names: list[str] = []
    reached: set[int] = set()
    seen: set[Any] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        names.append(node.name())
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        waiting += [following for following, _ in node.next_functions if following is not None]
    return tuple(names), reached
