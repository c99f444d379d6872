"""In which phase of training each step of a job is made, and in which one an error came."""

from types import TracebackType

from hotloop.workload import Job
from hotloop.workloads.started_plan import StartedPlan


class JobPhases:
    """Keeps `started.phases` up to date; nothing is asked of a job that has no phases.

    What is raised inside of it, as a context, gets a note that names the step and its phase, and is raised on.
    """

    def __init__(self, job: Job, started: StartedPlan) -> None:
        self._phase, self._started = job.phase, started
        self._last: str | None = None

    def __enter__(self) -> "JobPhases":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._phase is not None:
            error.add_note(f"in step {self._started.steps + 1}, while {self._phase()}")

    def stepped(self) -> None:
        """A step was made, the one that `started.steps` counts last."""
        if self._phase is None:
            return
        phase = self._phase()
        if phase != self._last:
            self._last = phase
            self._started.phases.append((self._started.steps, phase))
