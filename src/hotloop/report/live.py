"""What a terminal shows while a session runs: time, the trials that ended last, what is kept, what happens now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hotloop.report.short_names import short_change, short_plan, shortened
from hotloop.report.terminal import plain_text
from hotloop.report.wording import speed, status
from hotloop.trial import Trial

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 6


def live_view(now: str, trials: Sequence[Trial], *, elapsed: float, budget: float) -> "RenderableType":
    """At most twelve lines or so: the bar of the budget, a line for each of the last trials, what is done `now`."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    clock = Table.grid(padding=(0, 2, 0, 0), expand=True)
    clock.add_column(ratio=1)
    clock.add_column(no_wrap=True)
    clock.add_row(
        ProgressBar(total=budget, completed=min(elapsed, budget), complete_style="cyan", finished_style="cyan"),
        plain_text(f"{_clock(elapsed)} of {_clock(budget)}"),
    )
    last = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for share in (None, None, 1):
        last.add_column(no_wrap=True, ratio=share)
    for trial in trials[-_SHOWN:]:
        style = "green" if trial.kept else "dim"
        outcome = speed(trial.speedup) if trial.speedup else trial.reason
        last.add_row(*(plain_text(cell, style) for cell in (status(trial), short_change(trial), outcome)))
    plan = next((trial.plan for trial in reversed(trials) if trial.kept), ())
    tried = plain_text(f"{len(trials)} tried; kept: {short_plan(plan)}")
    return Group(clock, *((last, tried) if trials else ()), plain_text(shortened(now), "bold"))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
