"""An exponential moving average of weights, for evaluation."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class EMAWeights:
    """Averages the parameters of `model` with torch's own AveragedModel; buffers are those of the model.

    Call `update` after each step; training itself is untouched.
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.98) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: got {decay}; a number from 0 to below 1 is allowed")
        self._model = model
        self._averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def update(self) -> None:
        """Take in the weights of this step; the first ones are the average itself."""
        self._averaged.update_parameters(self._model)

    @contextmanager
    def applied(self) -> Generator[nn.Module]:
        """The model with averaged weights; afterwards it has its own again, whatever happened. Nothing is copied."""
        self._exchange()
        try:
            yield self._model
        finally:
            self._exchange()

    def state_dict(self) -> dict[str, Any]:
        """The averages; tensors are not copied."""
        return self._averaged.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._averaged.load_state_dict(state)

    def _exchange(self) -> None:
        for own, averaged in zip(self._model.parameters(), self._averaged.module.parameters(), strict=True):
            own.data, averaged.data = averaged.data, own.data
