"""Follows what roots hold and no optimizer updates: buffers, frozen parameters, copies such as moving averages."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from hotloop.worker.observed_tensors import KnownTensors, can_be_followed, norm


class ObservedBuffers:
    """The 2-norm of the change of each in every step that `is_due`."""

    def __init__(self, is_due: Callable[[int], bool]) -> None:
        self._is_due = is_due
        self._steps = 0
        self._recorded: list[int] = []
        self._names: list[str] = []
        self._known = KnownTensors()
        self._positions: dict[int, int] = {}
        self._before: dict[int, Tensor] = {}
        self._rows: list[list[float]] = []

    def begin(self, roots: Sequence[nn.Module], updated: Collection[int]) -> None:
        """Start to follow what is new; `updated` are the ids of the tensors that optimizers hold."""
        for name, tensor in _held(roots, updated):
            if tensor not in self._known:
                self._known.add(tensor)
                self._positions[id(tensor)] = len(self._names)
                self._names.append(name)
                self._before[id(tensor)] = tensor.detach().clone()

    def advance(self, roots: Sequence[nn.Module], updated: Collection[int]) -> None:
        """A step has ended."""
        self._steps += 1
        if not (self._is_due(self._steps) or self._is_due(self._steps + 1)):
            return
        row = [0.0] * len(self._names)
        for _, tensor in _held(roots, updated):
            if tensor in self._known and self._before[id(tensor)].shape == tensor.shape:
                row[self._positions[id(tensor)]] = norm(tensor.detach().double() - self._before[id(tensor)].double())
                self._before[id(tensor)] = tensor.detach().clone()
        if self._is_due(self._steps):
            self._rows.append(row)
            self._recorded.append(self._steps)
        self.begin(roots, updated)

    def to_data(self) -> dict[str, Any]:
        """What was seen; a buffer that came later has stood still before."""
        padded = [row + [0.0] * (len(self._names) - len(row)) for row in self._rows]
        return {"buffer_names": self._names, "buffers": padded, "buffer_steps": self._recorded}


def _held(roots: Sequence[nn.Module], updated: Collection[int]) -> Iterator[tuple[str, Tensor]]:
    for index, root in enumerate(roots):
        for name, tensor in (*root.named_buffers(), *root.named_parameters()):
            if id(tensor) not in updated and tensor.is_floating_point() and can_be_followed(tensor):
                yield f"{index}.{name}", tensor
