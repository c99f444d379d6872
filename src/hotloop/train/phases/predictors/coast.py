"""No gradient at all: the optimizer goes on with its momentum."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Coast:
    """A gradient of zeros, so that only what the optimizer has kept moves the weights."""

    name: ClassVar[str] = "coast"
    num_gradients: ClassVar[int] = 1

    def weights(self, steps: Sequence[int], now: int) -> list[float]:
        """0 for each."""
        return [0.0] * len(steps)
