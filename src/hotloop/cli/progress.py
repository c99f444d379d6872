"""What is shown while a session runs: a live table in a terminal, plain lines elsewhere; always on stderr."""

import sys
from types import TracebackType
from typing import Any

from hotloop.trial import Trial


class LiveProgress:
    """Rows for trials as they end and a line for what happens now. Use as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._live: Any = None
        self._table: Any = None
        self._line = ""

    def __enter__(self) -> "LiveProgress":
        if self._console.is_terminal:
            from rich.live import Live

            from hotloop.report import trial_table

            self._table = trial_table()
            self._live = Live(self._view(), console=self._console, auto_refresh=False)  # redrawn between turns only
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Show what happens now."""
        self._line = line
        if self._live is None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        else:
            self._live.update(self._view(), refresh=True)

    def trial(self, trial: Trial) -> None:
        """Add the row of a trial that ended."""
        if self._live is None:
            sys.stderr.write(f"  {'kept' if trial.kept else 'not kept'}: {trial.change}: {trial.reason}\n")
            return
        from hotloop.report import trial_row

        self._table.add_row(*trial_row(trial))
        self._live.update(self._view(), refresh=True)

    def _view(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        return Group(self._table, Text(self._line, style="dim"))
