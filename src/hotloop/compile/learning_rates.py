"""The learning rates of an optimizer as tensors, which a captured step takes as inputs."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class LearningRates:
    """The learning rate of each group as a tensor: the optimizer's own, or one that follows its float."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._device = optimizer.param_groups[0]["params"][0].device
        self._groups: list[dict[str, Any]] = []
        self._own: list[Tensor] = []
        self._written: list[Any] = []
        self.tensors: list[Tensor] = []
        self.resolve()

    def resolve(self) -> None:
        """Look up afresh which groups there are and which of them hold a tensor."""
        self._groups = self._optimizer.param_groups
        while len(self._own) < len(self._groups):
            self._own.append(torch.zeros((), dtype=torch.float64, device=self._device))
        rates = [group["lr"] for group in self._groups]
        self.tensors = [r if isinstance(r, Tensor) else own for r, own in zip(rates, self._own, strict=False)]
        self._written = [None] * len(rates)

    def refresh(self) -> None:
        """Write the floats that have changed into their tensors."""
        for index, group in enumerate(self._groups):
            rate = group["lr"]
            if rate is not self._written[index]:
                self._written[index] = rate
                if not isinstance(rate, Tensor):
                    self._own[index].fill_(rate)
