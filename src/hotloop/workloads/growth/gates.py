"""The gates between stages: what a seed must show before it may go on. Every refusal says why."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as checked_dataclass

from hotloop.train.options import CHECKED, Count, NotNegative

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
GateName = Literal["G1", "G2", "G3", "G5"]


@checked_dataclass(frozen=True, kw_only=True, config=CHECKED)
class GateLimits:
    """Thresholds; the defaults are those that esper-lite published. Accuracies are in percentage points.

    G2 (TRAINING to BLENDING): `improvement` of the validation accuracy in the stage, `training_epochs` in it,
    and a gradient of the seed of `gradient_ratio` times the host's, for one parameter. G3 (BLENDING to HOLDING):
    `blending_epochs` and `alpha`. G5 (HOLDING to FOSSILIZED): `contribution`, the accuracy that the network has with
    the seed beyond what it has without it, and gradients that are finite and do not explode.
    """

    improvement: float = 0.5
    training_epochs: Count = 3
    gradient_ratio: NotNegative = 0.05
    blending_epochs: Count = 3
    alpha: Fraction = 0.95
    contribution: float = 1.0


@dataclass(frozen=True, kw_only=True)
class GateOutcome:
    """Whether a gate let a seed through, and each reason why not."""

    gate: GateName
    reasons: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing spoke against it."""
        return not self.reasons


def gate_germinated(*, keeps_shape: bool) -> GateOutcome:
    """G1: the seed was made and keeps the shape of its features."""
    return _outcome("G1", (keeps_shape, "the seed changes the shape of its features"))


def gate_training(limits: GateLimits, *, improvement: float, epochs: int, gradient_ratio: float) -> GateOutcome:
    """G2. A ratio that was never measured (NaN) does not pass."""
    return _outcome(
        "G2",
        _at_least("improvement", improvement, limits.improvement),
        _at_least("epochs of training", epochs, limits.training_epochs),
        _at_least("gradient ratio", gradient_ratio, limits.gradient_ratio),
    )


def gate_blending(limits: GateLimits, *, epochs: int, alpha: float) -> GateOutcome:
    """G3."""
    return _outcome(
        "G3", _at_least("epochs of blending", epochs, limits.blending_epochs), _at_least("alpha", alpha, limits.alpha)
    )


def gate_holding(limits: GateLimits, *, contribution: float, is_healthy: bool) -> GateOutcome:
    """G5. A contribution that was never measured (NaN) does not pass."""
    return _outcome(
        "G5",
        _at_least("contribution", contribution, limits.contribution),
        (is_healthy, "its gradients were not finite, or exploded"),
    )


def _at_least(what: str, value: float, limit: float) -> tuple[bool, str]:
    shown = "not measured" if math.isnan(value) else f"{value:.4g}"
    return value >= limit, f"{what} {shown}, needed {limit:.4g}"


def _outcome(gate: GateName, *checks: tuple[bool, str]) -> GateOutcome:
    return GateOutcome(gate=gate, reasons=tuple(reason for passes, reason in checks if not passes))
