"""How a growing network is trained; checked when the options are made, nothing is clamped."""

import math
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from hotloop.train.options import CHECKED, Count, Limit, NotNegative, Positive
from hotloop.workloads.growth.gates import GateLimits

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ClockOptions:
    """Epochs after which a slot goes on by itself; shares are of all epochs of the run. Defaults are esper-lite's.

    A seed is trained for `training_share`, at least one epoch, and then asked gate G2 each epoch; it is blended in over
    `blending_epochs`; it is on probation for `holding_share`, at least `holding_epochs`, and then pruned; its slot
    stays closed for `embargo_epochs`. `training_limit` prunes a seed that G2 kept in TRAINING for so many epochs; None
    lets it stay.
    """

    training_share: Fraction = 0.1
    training_limit: Count | None = None
    blending_epochs: Count = 5
    holding_share: Fraction = 0.1
    holding_epochs: Count = 5
    embargo_epochs: Count = 5

    def training_epochs(self, epochs: int) -> int:
        """How long a seed is trained at least, in a run of so many epochs."""
        return max(1, math.floor(self.training_share * epochs))

    def probation_epochs(self, epochs: int) -> int:
        """How long a seed may be on probation."""
        return max(self.holding_epochs, math.floor(self.holding_share * epochs))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class GovernorOptions:
    """When training is put back to the last good epoch.

    At once where an epoch's training loss is NaN, or where the validation loss is back at `chance_share` of a uniform
    guess after it had been below half of it. After `strikes` epochs in a row, where the validation loss is above
    `sigmas` standard deviations and `times` the mean of the last `window` epochs. Defaults are esper-lite's.
    """

    chance_share: Positive = 0.98
    sigmas: Positive = 6.0
    times: Positive = 3.0
    strikes: Count = 3
    window: Annotated[int, Field(ge=3)] = 10


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PlateauOptions:
    """When the host counts as stabilized and as being on a plateau; defaults are esper-lite's.

    Stabilized, once and for all: in `stable_epochs` in a row the validation loss fell by less than `stable_share` of
    itself, and rose by at most `stable_slack` of itself. A plateau: an epoch gained less than `plateau_gain` percentage
    points of accuracy.
    """

    stable_epochs: Count = 3
    stable_share: Positive = 0.03
    stable_slack: NotNegative = 0.0
    plateau_gain: Positive = 0.5


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class GrowthOptions:
    """One run: `slots` are blocks of the host; the rest as in torch's optimizers.

    One optimizer trains host and seeds, each seed as a group of its own with `seed_lr`, so that its state of what was
    there before outlives every germination and pruning. `compile` compiles forward and loss for each architecture;
    "aot_eager" and "eager" trace, and run the operations one by one. `gradient_every` is how many epochs apart gradient
    health is taken; G2 needs it at least once in TRAINING.
    """

    epochs: Count = 40
    slots: tuple[int, ...] = (0, 1)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.01
    seed_lr: Positive = 0.01
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 5e-4
    clip_norm: Limit = None
    max_batches: Count | None = None
    gradient_every: Count = 1
    compile: Literal["inductor", "aot_eager", "eager"] | None = None
    gates: GateLimits = Field(default_factory=GateLimits)
    clock: ClockOptions = Field(default_factory=ClockOptions)
    plateau: PlateauOptions = Field(default_factory=PlateauOptions)
    governor: GovernorOptions | None = Field(default_factory=GovernorOptions)
