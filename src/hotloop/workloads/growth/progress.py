"""How the host comes along: whether it has stabilized, and how long it has been on a plateau."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from hotloop.workloads.growth.growth_options import PlateauOptions


@dataclass(kw_only=True)
class HostProgress:
    """Follows validation loss and accuracy (percent); once stabilized, it stays so."""

    previous_loss: float = math.nan
    previous_accuracy: float = math.nan
    accuracy_change: float = 0.0
    best_accuracy: float = 0.0
    plateau_epochs: int = 0
    stable_epochs: int = 0
    is_stabilized: bool = False

    def add(self, loss: float, accuracy: float, options: PlateauOptions) -> None:
        """Take in an epoch."""
        if not math.isnan(self.previous_loss):
            improvement = (self.previous_loss - loss) / max(self.previous_loss, 1e-12)
            is_stable = -options.stable_slack <= improvement < options.stable_share
            self.stable_epochs = self.stable_epochs + 1 if is_stable else 0
            self.is_stabilized |= self.stable_epochs >= options.stable_epochs
            self.accuracy_change = accuracy - self.previous_accuracy
            self.plateau_epochs = self.plateau_epochs + 1 if self.accuracy_change < options.plateau_gain else 0
        self.previous_loss, self.previous_accuracy = loss, accuracy
        self.best_accuracy = max(self.best_accuracy, accuracy)

    def state(self) -> dict[str, Any]:
        """Everything in JSON types; NaN as None."""
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(self).items()}

    @classmethod
    def from_state(cls, data: dict[str, Any]) -> "HostProgress":
        """What `state` gave."""
        given: dict[str, Any] = {key: math.nan if value is None else value for key, value in data.items()}
        return cls(**given)
