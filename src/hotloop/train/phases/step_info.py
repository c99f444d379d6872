"""What a step of phase training is told when it begins."""

from dataclasses import dataclass

from hotloop.train.phases.phase import TrainingPhase


@dataclass(frozen=True, kw_only=True)
class StepInfo:
    """The phase of a step; `phase_step`, `total_step` and `cycle` count from 0."""

    phase: TrainingPhase
    phase_step: int
    total_step: int
    cycle: int
    phase_changed: bool

    @property
    def needs_backward(self) -> bool:
        """Whether this step takes its gradient from a backward pass."""
        return self.phase.needs_backward
