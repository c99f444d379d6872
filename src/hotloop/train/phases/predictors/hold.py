"""The last gradient again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Repeats the last true gradient. With a tuned learning rate that is a longer step and nothing else."""

    name: ClassVar[str] = "hold"
    num_gradients: ClassVar[int] = 1

    def weights(self, steps: Sequence[int], now: int) -> list[float]:
        """1 for the newest."""
        return [0.0] * (len(steps) - 1) + [1.0]
