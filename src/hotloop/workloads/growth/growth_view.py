"""What a controller sees after an epoch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hotloop.workloads.growth.stages import SlotStage


@dataclass(frozen=True, kw_only=True)
class SlotView:
    """One slot: accuracies in percentage points since the stage and the seed began; NaN where nothing was measured."""

    stage: SlotStage
    epochs_in_stage: int
    alpha: float
    stage_improvement: float
    total_improvement: float
    contribution: float
    gradient_ratio: float
    seed_parameters: int
    blueprint: str

    @property
    def is_harmful(self) -> bool:
        """Whether the network leans on a seed that has made it worse ("ransomware" in esper-lite)."""
        return self.contribution > 0.1 and self.total_improvement < 0.0


@dataclass(frozen=True, kw_only=True)
class GrowthView:
    """A network after `epoch` epochs; accuracies in percent, `accuracy_change` since the epoch before."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    accuracy: float
    accuracy_change: float
    best_accuracy: float
    plateau_epochs: int
    is_stabilized: bool
    host_parameters: int
    slots: Mapping[str, SlotView]

    @property
    def stages(self) -> dict[str, SlotStage]:
        """The stage of each slot."""
        return {name: slot.stage for name, slot in self.slots.items()}

    @property
    def grown_parameters(self) -> int:
        """Parameters that the host did not have."""
        return sum(slot.seed_parameters for slot in self.slots.values())


def finite_or(value: float, default: float) -> float:
    """The value, or `default` where it was never measured."""
    return value if math.isfinite(value) else default
