"""What the terminal shows, as rich renderables; rich leaves out colour where the output is no terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hotloop.report.wording import headline, measured, payback, plan_toml, printable, speed, status
from hotloop.trial import Result, Trial
from hotloop.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_STYLES = {Outcome.PASS: "bold green", Outcome.FAIL: "bold red", Outcome.INCONCLUSIVE: "bold yellow"}


def summary(result: Result) -> "RenderableType":
    """The table of trials, the verdict in one sentence, and the plan."""
    from rich.console import Group
    from rich.padding import Padding

    table = trial_table()
    if result.aa is not None:
        table.add_row(_text("A/A: the script against itself"), _text(speed(result.aa)), _text("noise"), _text(""))
    for trial in result.trials:
        table.add_row(*trial_row(trial))
    shown = table if table.row_count else _text("Nothing was tried.")
    return Group(shown, _text(""), *_verdict(result), _text(""), Padding(_plan(result), (0, 0, 0, 2)))


def trial_table() -> "Table":
    """An empty table with the columns that `trial_row` fills; a live display adds rows to it."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("Change", overflow="fold", min_width=24)
    table.add_column("Speed-up", justify="right", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Reason", overflow="fold", min_width=16)
    return table


def trial_row(trial: Trial) -> "tuple[Text, Text, Text, Text]":
    """Change, speed-up with interval and the bound it had, kept or refused, and why."""
    style = "green" if trial.kept else "dim"
    return (
        _text(trial.change),
        _text(measured(trial), "" if trial.speedup else "dim"),
        _text(status(trial), style),
        _text(trial.reason, "" if trial.kept else "dim"),
    )


def _text(text: str, style: str = "") -> "Text":
    """Never a plain string: rich would read [brackets] in it as markup."""
    from rich.text import Text

    return Text(printable(text), style=style)


def _verdict(result: Result) -> "Iterable[Text]":
    from rich.text import Text

    yield Text.assemble((f"{result.verdict.value}  ", _STYLES[result.verdict]), headline(result))
    if result.message:
        yield _text(result.message)
    if result.plan:
        yield _text(f"Pays back: {payback(result)}.")


def _plan(result: Result) -> "Text":
    if not result.plan:
        return _text("The plan is empty: the script stays as it is.", "dim")
    return _text(plan_toml(result.plan).rstrip("\n"), "cyan")
