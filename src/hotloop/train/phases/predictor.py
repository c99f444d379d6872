"""What a predictor is, and how one is chosen."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeGuard

from torch import Tensor

from hotloop import registry
from hotloop.errors import RegistryError

# (gradients, oldest first, as rows; their steps; the step to predict) -> the flat gradient
PredictionCall = Callable[[Tensor, Sequence[int], int], Tensor]


class Predictor(Protocol):
    """A prediction that is a weighted sum of the last gradients."""

    @property
    def num_gradients(self) -> int:
        """How many gradients must be kept for it."""
        ...

    def weights(self, steps: Sequence[int], now: int) -> list[float]:
        """A weight for each gradient of `steps`, oldest first, at the step `now`."""
        ...


def predictor_named(name: str) -> Predictor:
    """A built-in predictor, or a third party's, with its usual settings. Raises ValueError for an unknown name."""
    try:
        return registry.load("predictors", name)()
    except RegistryError:
        known = ", ".join(registry.names("predictors"))
        raise ValueError(f"predictor: got {name!r}; give one of {known}, a Predictor, or a function") from None


def is_predictor(value: object) -> TypeGuard[Predictor]:
    """Whether it has the members of a predictor."""
    return hasattr(value, "num_gradients") and callable(getattr(value, "weights", None))
