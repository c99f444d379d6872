"""StepWindow: consecutive steps of the program that one or more probes look at."""

from dataclasses import dataclass

_FULL = 5


@dataclass(frozen=True, kw_only=True, order=True)
class StepWindow:
    """Probes of equal windows share one; windows open one after another, by `order`.

    A window closes after `steps` (None: as many as are timed), later where these do not last `least`, and in any case
    after `most`; both are shares of the budget.
    """

    order: int
    steps: int | None = None
    least: float = 0.0
    most: float

    def is_over(self, steps: int, seconds: float, *, timed_steps: int, budget: float) -> bool:
        """Whether a window that has had so many steps closes.

        Where fewer than five steps are timed, the windows of a fixed number shrink in proportion.
        """
        wanted = timed_steps if self.steps is None else max(1, min(self.steps, self.steps * timed_steps // _FULL))
        return seconds >= self.most * budget or (steps >= wanted and seconds >= self.least * budget)


# The timed steps get the most time, since every share is one of theirs; only cheap hooks are at work in them.
TIMED = StepWindow(order=10, least=0.05, most=0.3)
