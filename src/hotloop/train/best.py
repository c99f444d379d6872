"""The best weights so far, and when to stop looking for better ones."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class BestWeights:
    """Keeps a copy of the model's state at its lowest score; stops after `patience` scores without a lower one."""

    def __init__(self, model: nn.Module, patience: int | None) -> None:
        self._model, self._patience = model, patience
        self._score = float("inf")
        self._state: dict[str, Tensor] = {}
        self._since = 0
        self.epoch: int | None = None

    def add(self, score: float, epoch: int) -> bool:
        """Take in the score of `epoch`; whether it is time to stop. A NaN is never better."""
        if score < self._score:
            self._score, self.epoch, self._since = score, epoch, 0
            self._state = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
            return False
        self._since += 1
        return self._patience is not None and self._since >= self._patience

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a checkpoint needs: figures in JSON types, and the best weights; both for `restore_state`."""
        score = None if self.epoch is None else self._score
        return {"score": score, "epoch": self.epoch, "since": self._since}, self._state

    def restore_state(self, data: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._score = float("inf") if data["score"] is None else float(data["score"])
        self.epoch, self._since, self._state = data["epoch"], int(data["since"]), dict(weights)

    def restore(self) -> None:
        """Put the best state back into the model, where one was seen."""
        if self._state:
            self._model.load_state_dict(self._state)
