"""The losses of a worker's steps, kept on their devices until they are asked for."""

import torch
from torch import Tensor

_SLOTS = 256


class Losses:
    """Copies of losses in slots that are allocated ahead, 256 at a time, and used again after each `clear`.

    So a step leaves nothing on the heap among the program's own tensors. Nothing is read before `by_step`.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[torch.device, torch.dtype], _Row] = {}
        self._others: list[tuple[int, Tensor]] = []

    def keep(self, step: int, value: Tensor) -> None:
        """Copy the detached `value` as one loss of step number `step`, counted from 1; may be called again for it."""
        if type(value) is not Tensor or value.dim():  # a DTensor, or what backward was given a gradient for
            self._others.append((step, value.clone()))
            return
        place = value.device, value.dtype
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = _Row(*place)
        row.keep(step, value)

    def by_step(self, num_steps: int) -> list[float | None]:
        """One number a step: the mean of what was kept for it (accumulation, several losses), None for nothing.

        One transfer from each device and dtype; losses of later steps are left out.
        """
        return [sum(found) / len(found) if found else None for found in self.each_by_step(num_steps)]

    def each_by_step(self, num_steps: int) -> list[list[float]]:
        """All that was kept for each step; losses of later steps are left out."""
        kept = [pair for row in self._rows.values() for pair in row.read()]
        kept += [(step, value.double().mean().item()) for step, value in self._others]
        values: list[list[float]] = [[] for _ in range(num_steps)]
        for step, value in kept:
            if step <= num_steps:
                values[step - 1].append(value)
        return values

    def clear(self) -> None:
        """Forget all losses, and keep their slots."""
        self._others.clear()
        for row in self._rows.values():
            row.steps.clear()


class _Row:
    """The slots of one device and dtype; the first `len(steps)` of them are in use."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.steps: list[int] = []
        self._device, self._dtype = device, dtype
        self._blocks: list[Tensor] = []
        self._slots: list[Tensor] = []

    def keep(self, step: int, value: Tensor) -> None:
        if len(self.steps) == len(self._slots):
            block = torch.empty(_SLOTS, device=self._device, dtype=self._dtype)
            self._blocks.append(block)
            self._slots += block.unbind()
        self._slots[len(self.steps)].copy_(value)
        self.steps.append(step)

    def read(self) -> list[tuple[int, float]]:
        values = torch.cat(self._blocks)[: len(self.steps)].double().tolist()
        return list(zip(self.steps, values, strict=True))
