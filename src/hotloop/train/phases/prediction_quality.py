"""How good the predictions were so far."""

import math
from collections.abc import Mapping
from typing import Any


class PredictionQuality:
    """Means of what the checks of predictions found; NaN is counted in neither."""

    def __init__(self) -> None:
        self._errors: list[float] = [0.0, 0]
        self._cosines: list[float] = [0.0, 0]
        self.last_error = 0.0

    def add(self, *, cosine: float, error: float) -> None:
        """Take in one check."""
        for sums, value in ((self._cosines, cosine), (self._errors, error)):
            if not math.isnan(value):
                sums[0] += value
                sums[1] += 1
        self.last_error = error

    @property
    def mean_error(self) -> float | None:
        """Mean size of errors relative to the true gradient; None before the first check."""
        return self._errors[0] / self._errors[1] if self._errors[1] else None

    @property
    def mean_cosine(self) -> float | None:
        """Mean cosine of predicted and true gradient; None before the first check."""
        return self._cosines[0] / self._cosines[1] if self._cosines[1] else None

    def reset(self) -> None:
        """As new."""
        self._errors, self._cosines, self.last_error = [0.0, 0], [0.0, 0], 0.0

    def state_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"errors": list(self._errors), "cosines": list(self._cosines), "last_error": self.last_error}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._errors, self._cosines = list(state["errors"]), list(state["cosines"])
        self.last_error = state["last_error"]
