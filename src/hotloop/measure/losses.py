"""The losses of a worker's steps, kept on their devices until they are asked for."""

import torch
from torch import Tensor

_SLOTS = 256

_Place = tuple[torch.device, torch.dtype]


class Losses:
    """Copies of losses in slots that are allocated ahead, 256 at a time, and used again after each `clear`.

    So a step leaves nothing on the heap among the program's own tensors. Nothing is read before `by_step`.
    """

    def __init__(self) -> None:
        self._slots: dict[_Place, list[Tensor]] = {}
        self._blocks: dict[_Place, list[Tensor]] = {}
        self._steps: dict[_Place, list[int]] = {}
        self._others: list[tuple[int, Tensor]] = []

    def keep(self, step: int, value: Tensor) -> None:
        """Copy the detached `value` as one loss of step number `step`, counted from 1; may be called again for it."""
        if type(value) is not Tensor or value.dim():  # a DTensor, or what backward was given a gradient for
            self._others.append((step, value.clone()))
            return
        place = value.device, value.dtype
        steps = self._steps.setdefault(place, [])
        slots = self._slots.setdefault(place, [])
        if len(steps) == len(slots):
            self._grow(place)
        slots[len(steps)].copy_(value)
        steps.append(step)

    def by_step(self, num_steps: int) -> list[float | None]:
        """One number a step: the mean of what was kept for it (accumulation, several losses), None for nothing.

        One transfer from each device; losses of later steps are left out.
        """
        values: list[list[float]] = [[] for _ in range(num_steps)]
        for place, steps in self._steps.items():
            for step, value in zip(steps, torch.cat(self._blocks[place]).double().tolist(), strict=False):
                if step <= num_steps:
                    values[step - 1].append(value)
        for step, value in self._others:
            if step <= num_steps:
                values[step - 1].append(value.double().mean().item())
        return [sum(found) / len(found) if found else None for found in values]

    def clear(self) -> None:
        """Forget all losses, and keep their slots."""
        self._others.clear()
        for steps in self._steps.values():
            steps.clear()

    def _grow(self, place: _Place) -> None:
        device, dtype = place
        block = torch.empty(_SLOTS, device=device, dtype=dtype)
        self._blocks.setdefault(place, []).append(block)
        self._slots[place] += block.unbind()
