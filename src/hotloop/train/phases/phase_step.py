"""One step of phase training as a context."""

from types import TracebackType
from typing import Protocol, Self, SupportsFloat

from hotloop.train.phases.phase import TrainingPhase
from hotloop.train.phases.step_info import StepInfo


class StepOwner(Protocol):
    """Makes steps: what `PhaseStep` asks of its trainer."""

    def begin_step(self) -> StepInfo:
        """Begin a step."""
        ...

    def finish_step(self, loss: SupportsFloat | None = None) -> None:
        """Update the weights and end the step."""
        ...

    def abandon_step(self) -> None:
        """Let the step begin again."""
        ...


class PhaseStep:
    """`with trainer.step() as step:` call backward inside where `step.needs_backward`; the weights are updated at the
    end. `step.loss` may be set for the history. Where the body raises, no weight moves and the step begins again.
    """

    def __init__(self, owner: StepOwner) -> None:
        self._owner = owner
        self._info: StepInfo | None = None
        self.loss: SupportsFloat | None = None

    @property
    def info(self) -> StepInfo:
        """The phase and its counters."""
        assert self._info is not None, "the step begins where the with statement is entered"
        return self._info

    @property
    def phase(self) -> TrainingPhase:
        """The phase of this step."""
        return self.info.phase

    @property
    def needs_backward(self) -> bool:
        """Whether the body must call backward."""
        return self.info.needs_backward

    def __enter__(self) -> Self:
        self._info = self._owner.begin_step()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._owner.finish_step(self.loss)
        else:
            self._owner.abandon_step()
