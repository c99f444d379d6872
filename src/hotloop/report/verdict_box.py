"""The box that ends what a session prints: verdict, figure, plan, what it pays back, the files, the next command."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotloop.report.commands import next_command
from hotloop.report.short_names import short_plan
from hotloop.report.terminal import plain_text
from hotloop.report.wording import headline, memory_change, payback
from hotloop.trial import Result
from hotloop.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.INCONCLUSIVE: "yellow"}


@dataclass(frozen=True, kw_only=True)
class WrittenFiles:
    """Where the plan and the page of a result were written; None where they were not."""

    plan: Path | None = None
    page: Path | None = None


def verdict_box(result: Result, files: WrittenFiles) -> "RenderableType":
    """The box, as wide as the terminal."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table

    rows = {"Plan": short_plan(result.plan) if result.plan else "empty: the script stays as it is"}
    if result.objective.counts_memory:
        rows["Objective"] = result.objective.value
    if result.plan and result.memory_ratio is not None and not result.objective.counts_memory:
        rows["Memory"] = memory_change(result)
    if result.plan and result.verdict is Outcome.PASS:
        rows["Pays back"] = payback(result)
    if result.plan:
        rows["Plan file"] = str(files.plan or "not written: save the lines above as plan.toml")
    rows["Report"] = str(files.page or "not written: --out FOLDER writes report.html and plan.toml")
    rows["Next"] = next_command(result, files.plan or "plan.toml")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        grid.add_row(name, plain_text(value))
    colour = _COLOURS[result.verdict]
    lines = [plain_text(headline(result), "bold"), plain_text(result.message, "dim"), plain_text(""), grid]
    title = plain_text(result.verdict.value, f"bold {colour}")
    return Panel(Group(*lines), title=title, title_align="left", border_style=colour)
