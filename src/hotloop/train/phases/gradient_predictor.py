"""Predicts flat gradients from those that were recorded, and measures how well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hotloop.errors import PhaseError
from hotloop.train.phases.gradient_ring import GradientRing, GradientStore
from hotloop.train.phases.predictor import PredictionCall, Predictor, is_predictor, predictor_named
from hotloop.train.phases.predictors.coast import Coast

_RESIDUAL_DECAY = 0.95  # each step after a record; vsa-optim-rs 0.1.1, whose gain is 0.05


@dataclass(frozen=True, kw_only=True)
class PredictionCheck:
    """A prediction beside the true gradient: `error` is true minus predicted, flat; `figures` are, on the device, the
    cosine of both and the size of the error relative to the true gradient.
    """

    error: Tensor
    figures: Tensor


class GradientPredictor:
    """Flat gradients of `size` numbers on `device`, predicted by a built-in of that name, a Predictor, or a function.

    A function gets the last `num_gradients` gradients as rows (oldest first), their steps and the step to predict, and
    returns the flat gradient. `residual_gain` above 0 adds a running average of past errors to predictions; the fit of
    a line holds the same errors already, so the default is 0. Nothing is drawn at random and nothing is read from the
    device: the same records give the same predictions to the last bit.
    """

    def __init__(
        self,
        predictor: str | Predictor | PredictionCall,
        *,
        size: int,
        device: torch.device | str = "cpu",
        num_gradients: int = 10,
        residual_gain: float = 0.0,
        store: GradientStore | None = None,
    ) -> None:
        self._predictor: Predictor | None = None
        self._call: PredictionCall | None = None
        if isinstance(predictor, str):
            self._predictor = predictor_named(predictor)
        elif is_predictor(predictor):
            self._predictor = predictor
        elif callable(predictor):
            self._call = predictor
        else:
            raise ValueError(f"predictor: got {predictor!r}; give a name, a Predictor, or a function")
        self.num_gradients = num_gradients if self._predictor is None else self._predictor.num_gradients
        self.store = store or GradientRing(size, capacity=self.num_gradients, device=device)
        self._size = size
        self._predicted = torch.zeros(size, device=device)
        self._residual_gain = residual_gain
        self._residual = torch.zeros(size if residual_gain else 0, device=device)

    @property
    def has_direction(self) -> bool:
        """Whether predictions can be told from true gradients by their cosine; zeros cannot."""
        return not isinstance(self._predictor, Coast)

    @property
    def is_ready(self) -> bool:
        """Whether there is a gradient to predict from."""
        return bool(self.store.steps)

    def record(self, gradient: Tensor, step: int) -> None:
        """Keep a copy of the true gradient of `step`."""
        self.store.record(gradient, step)

    def predict(self, step: int) -> Tensor:
        """The gradient of a later step, in a vector that the next prediction writes to again.

        Raises PhaseError where no gradient was recorded, ValueError for a function that returns another shape.
        """
        model = self._model(step)
        if self._residual_gain:
            ahead = step - self.store.steps[-1] - 1
            model.add_(self._residual, alpha=_RESIDUAL_DECAY**ahead)
        return model

    def check(self, gradient: Tensor, step: int) -> PredictionCheck:
        """What would have been predicted for `step`, beside its true gradient; call it before `record`."""
        predicted = self._model(step)
        norm = torch.linalg.vector_norm(gradient)
        cosine = torch.dot(predicted, gradient) / (torch.linalg.vector_norm(predicted) * norm)
        error = gradient - predicted
        if self._residual_gain:
            self._residual.mul_(1 - self._residual_gain).add_(error, alpha=self._residual_gain)
        return PredictionCheck(error=error, figures=torch.stack([cosine, torch.linalg.vector_norm(error) / norm]))

    def clear(self) -> None:
        """As new."""
        self.store.clear()
        self._residual.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Tensors, not copied, and JSON types."""
        return {"store": self.store.state_dict(), "residual": self._residual}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`. Raises ValueError for a state of other sizes."""
        if state["residual"].shape != self._residual.shape:
            raise ValueError("the state is of a predictor with another residual_gain; build this one with the same")
        self.store.load_state_dict(state["store"])
        self._residual.copy_(state["residual"])

    def _model(self, step: int) -> Tensor:
        steps = self.store.steps
        if not steps:
            raise PhaseError("nothing was recorded, so nothing can be predicted; record a true gradient first")
        if self._predictor is not None:
            return self.store.combine(self._predictor.weights(steps, step), self._predicted)
        return self._predicted.copy_(self._called(steps, step))

    def _called(self, steps: Sequence[int], step: int) -> Tensor:
        assert self._call is not None
        predicted = self._call(self.store.rows(), steps, step)
        if predicted.shape != (self._size,):
            raise ValueError(
                f"the predictor returned shape {tuple(predicted.shape)}; a flat gradient has shape ({self._size},)"
            )
        return predicted
