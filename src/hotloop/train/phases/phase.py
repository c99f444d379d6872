"""The phases of training with predicted gradients."""

from enum import StrEnum


class TrainingPhase(StrEnum):
    """What a step does: a true gradient (WARMUP, FULL), a predicted one (PREDICT), or a true one that checks the
    predictions (CORRECT). `str(phase)` is the name.
    """

    WARMUP = "WARMUP"
    FULL = "FULL"
    PREDICT = "PREDICT"
    CORRECT = "CORRECT"

    @property
    def needs_backward(self) -> bool:
        """Whether a step of this phase takes its gradient from a backward pass."""
        return self is not TrainingPhase.PREDICT
