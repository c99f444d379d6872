"""What happens to slots, as events."""

from dataclasses import dataclass
from typing import ClassVar

from hotloop.train.events.event import Event


@dataclass(frozen=True, kw_only=True)
class SlotStageChanged(Event):
    """A slot went from one stage to another; `reason` says what decided it."""

    type: ClassVar[str] = "slot_stage_changed"
    slot: str
    stage_from: str
    stage_to: str
    blueprint: str
    schedule: str
    epochs_in_stage: int
    alpha: float
    reason: str
    num_parameters: int


@dataclass(frozen=True, kw_only=True)
class SlotGateEvaluated(Event):
    """A gate was asked; `reasons` are why it stayed shut."""

    type: ClassVar[str] = "slot_gate_evaluated"
    slot: str
    gate: str
    is_open: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SlotContribution(Event):
    """Validation accuracy with the seed less that without it, in percentage points."""

    type: ClassVar[str] = "slot_contribution"
    slot: str
    stage: str
    alpha: float
    contribution: float


@dataclass(frozen=True, kw_only=True)
class ControllerDecided(Event):
    """What the controller chose, and whether it came to pass."""

    type: ClassVar[str] = "controller_decided"
    operation: str
    slot: str | None
    blueprint: str | None
    schedule: str | None
    is_done: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GovernorRolledBack(Event):
    """Training went wrong and was put back to an earlier epoch; seeds that were alive were pruned."""

    type: ClassVar[str] = "governor_rolled_back"
    reason: str
    to_epoch: int
    pruned: tuple[str, ...]
