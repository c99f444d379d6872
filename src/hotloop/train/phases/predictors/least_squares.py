"""A weighted line through the last gradients, by the closed form of two unknowns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

_SINGULAR = 1e-10


@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """Extends the line of weighted least squares through the last `window` + 2 gradients.

    The newest has weight 1, each older one `decay` times that of the next. For a step the whole line is one number for
    each gradient, so a prediction is one matrix-vector product. One gradient alone is repeated.
    Source: Cramer's rule on the normal equations, as vsa-optim-rs 0.1.1 does for each parameter; its windows keep two
    gradients more than they say.
    """

    window: int = 8
    decay: float = 0.95
    name: ClassVar[str] = "least_squares"

    def __post_init__(self) -> None:
        if self.window < 2:
            raise ValueError(f"window: got {self.window}; at least 2 is allowed")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay: got {self.decay}; a number above 0 and up to 1 is allowed")

    @property
    def num_gradients(self) -> int:
        """How many gradients the line goes through."""
        return self.window + 2

    def weights(self, steps: Sequence[int], now: int) -> list[float]:
        """How much each gradient counts at the step `now`; computed in float64."""
        newest = steps[-1]
        times = [step - newest for step in steps]
        ws = [self.decay ** (len(steps) - 1 - index) for index in range(len(steps))]
        s = sum(ws)
        st = sum(w * t for w, t in zip(ws, times, strict=True))
        stt = sum(w * t * t for w, t in zip(ws, times, strict=True))
        determinant = s * stt - st * st
        if abs(determinant) < _SINGULAR:
            return [0.0] * (len(steps) - 1) + [1.0]
        ahead = now - newest
        return [w * ((stt - st * t) + ahead * (s * t - st)) / determinant for w, t in zip(ws, times, strict=True)]
