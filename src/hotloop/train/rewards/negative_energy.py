"""Minus the mean square of the actions: the default of psann, greatest where nothing is done."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class NegativeEnergy:
    """-mean(a^2) over the last dimension, shape (..., T): greatest for actions of zero.

    It looks at neither context nor costs, so it takes no transition penalty: it is for benchmarks and smoke tests, and
    teaches a net nothing about a portfolio.
    """

    name: ClassVar[str] = "negative_energy"

    def __call__(self, actions: Tensor, context: Tensor) -> Tensor:
        del context
        return -actions.square().mean(-1)
