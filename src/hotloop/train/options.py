"""How parameters are updated and for how long; checked when the options are made, nothing is clamped."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from hotloop.compile.precision import HalfPrecision
from hotloop.train.cadence import Reset
from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.optimizer import Kind
from hotloop.train.flat.step import Nonfinite
from hotloop.train.stopwatch import Phases


def _positive_or_none(value: float | None) -> float | None:
    if value is not None and value <= 0.0:
        raise ValueError(f"got {value}; allowed are numbers above 0, or None for no clipping: give None to turn it off")
    return value


Count = Annotated[int, Field(ge=1)]
Limit = Annotated[float | None, Field(allow_inf_nan=False), AfterValidator(_positive_or_none)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

CHECKED = ConfigDict(extra="forbid", strict=True, validate_default=False)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class UpdateOptions:
    """How parameters are updated, and for how long.

    `lr_end`: the rate goes linearly over the epochs, from `lr` in the first to `lr_end` in the last. `clip_norm` bounds
    the 2-norm of the gradient; None turns it off. `state_updates` False keeps a stateful model from staging updates.
    `nonfinite`: "stop" raises NonFiniteError at the end of the epoch and leaves the weights as they were before the
    first update with a NaN or infinity; "skip" leaves such updates out and counts them.
    `threads`: intra-op threads on the CPU; None lets the amount of work decide; put back after the run.
    `phases`: whether each phase of an update is timed; "auto" does on the CPU, where it is free.
    `validation_every` and `patience` count epochs; patience None never stops early. `fused` False trains through
    plain autograd where a fused network kernel would serve.
    """

    epochs: Count = 200
    lr: Positive = 1e-3
    lr_end: Positive | None = None
    optimizer: Kind = "adam"
    weight_decay: NotNegative = 0.0
    clip_norm: Limit = None
    state_reset: Reset = "batch"
    state_updates: bool | None = None
    amp: HalfPrecision | None = None
    nonfinite: Nonfinite = "stop"
    validation_every: Count = 1
    patience: Count | None = None
    threads: Count | None = None
    phases: Phases = "auto"
    fused: bool = True

    @property
    def clipping(self) -> Clipping:
        """What limits the gradient."""
        return Clipping(norm=self.clip_norm)

    @property
    def scales_loss(self) -> bool:
        """Whether the loss is scaled, so that gradients do not underflow in float16."""
        return self.amp == "float16"

    @property
    def reports_norm(self) -> bool:
        """Whether the 2-norm of the gradient before clipping is among the metrics."""
        return False

    def lr_in(self, epoch: int) -> float:
        """The learning rate of a 0-based epoch."""
        if self.lr_end is None or self.epochs == 1:
            return self.lr
        return self.lr + (self.lr_end - self.lr) * (epoch / (self.epochs - 1))
