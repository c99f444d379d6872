"""Losses of a run of steps, kept on their device until they are read."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

_LONG = 4096


@dataclass(frozen=True)
class _Room:
    """Memory for losses on one device, and the step of each that is there."""

    values: Tensor
    steps: list[int] = field(default_factory=list[int])


class Losses:
    """Copies losses into memory that is taken beforehand, so that keeping one moves nothing in the program's heap.

    A loss kept in a tensor of its own would lie above the activations of its step, and glibc's malloc would then return
    and fetch their pages otherwise than without us.
    """

    def __init__(self) -> None:
        self._rooms: list[_Room] = []
        self._open: dict[torch.device, _Room] = {}

    def clear(self) -> None:
        """Forget all; the memory of the last ones is used again."""
        self._rooms = list(self._open.values())
        for room in self._rooms:
            room.steps.clear()

    def keep(self, step: int, value: Tensor) -> None:
        """Copy what was differentiated in a step, counted from 0: a scalar, or the mean of several values."""
        room = self._open.get(value.device)
        if room is None or len(room.steps) == _LONG:
            room = self._open[value.device] = _Room(torch.zeros(_LONG, dtype=torch.float64, device=value.device))
            self._rooms.append(room)
        room.values[len(room.steps)].copy_(value if value.dim() == 0 else value.double().mean())
        room.steps.append(step)

    def read(self, steps: int) -> list[float | None]:
        """A number for each of `steps` steps: the mean of what was kept of it, None for nothing. Waits for devices."""
        values: list[list[float]] = [[] for _ in range(steps)]
        for room in self._rooms:
            for step, value in zip(room.steps, room.values.tolist(), strict=False):
                if step < steps:
                    values[step].append(value)
        return [sum(found) / len(found) if found else None for found in values]
