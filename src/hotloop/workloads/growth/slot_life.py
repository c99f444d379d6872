"""The life of one slot: its stage, how long it has been there, and what was measured of its seed."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from hotloop.workloads.growth.stages import FOLLOWING, SlotStage


@dataclass(kw_only=True)
class SlotLife:
    """What a slot went through; accuracies are in percent, contributions in percentage points.

    `stage_accuracy` and `birth_accuracy` are the validation accuracies when the stage and the seed began;
    `gradient_ratio` and `contribution` are NaN until they were measured in this stage.
    """

    stage: SlotStage = SlotStage.DORMANT
    epochs_in_stage: int = 0
    stage_accuracy: float = math.nan
    birth_accuracy: float = math.nan
    gradient_ratio: float = math.nan
    contribution: float = math.nan
    is_healthy: bool = True
    alpha: float = 0.0

    def enter(self, stage: SlotStage, accuracy: float) -> None:
        """Begin a stage. Only what the table of stages allows."""
        assert stage in FOLLOWING[self.stage], f"{self.stage} is not followed by {stage}"
        if stage is SlotStage.GERMINATED:
            self.birth_accuracy, self.gradient_ratio, self.is_healthy = accuracy, math.nan, True
        self.stage, self.epochs_in_stage, self.stage_accuracy = stage, 0, accuracy
        self.contribution = math.nan

    def state(self) -> dict[str, Any]:
        """Everything in JSON types; NaN as None."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_state(cls, data: dict[str, Any]) -> "SlotLife":
        """What `state` gave."""
        given: dict[str, Any] = {key: math.nan if value is None else value for key, value in data.items()}
        given["stage"] = SlotStage(data["stage"])
        return cls(**given)
