"""What is shown while a session runs: one live region in a terminal, plain lines elsewhere; always on stderr."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from hotloop.report import live_view, short_change, shortened, status
from hotloop.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Drawing takes milliseconds of a core that steps are timed on: at one picture in five seconds no figure shows it.
_PICTURES_PER_SECOND = 0.2


class LiveProgress:
    """What happens now, the trials that ended last, and how much of the budget is spent. Use as a context manager."""

    def __init__(
        self, *, budget: float, console: "Console | None" = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        console = console or Console(stderr=True)
        self._budget, self._clock, self._started = budget, clock, clock()
        self._now = ""
        self._trials: list[Trial] = []
        self._live = None
        if console.is_interactive:
            rate = _PICTURES_PER_SECOND
            self._live = Live(console=console, get_renderable=self._view, refresh_per_second=rate, transient=True)

    def __enter__(self) -> "LiveProgress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.transient = kind is None  # what a session that broke off was at stays in sight
            self._live.stop()

    def say(self, line: str) -> None:
        """Show what happens now."""
        self._now = line
        self._show(f"{shortened(line)}\n")

    def trial(self, trial: Trial) -> None:
        """Show how a trial ended."""
        self._trials.append(trial)
        self._show(f"  {status(trial)}: {short_change(trial)}: {trial.reason}\n")

    def _show(self, line: str) -> None:
        if self._live is not None:
            self._live.refresh()
        else:
            sys.stderr.write(line)
            sys.stderr.flush()

    def _view(self) -> "RenderableType":
        return live_view(self._now, self._trials, elapsed=self._clock() - self._started, budget=self._budget)
