"""What the terminal shows at the end of a session, as rich renderables.

Everything fits 80 columns without a name of a transform broken in two; rich leaves out colour where there is no
terminal.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hotloop.report.notes import shown_notes
from hotloop.report.short_names import short_change
from hotloop.report.terminal import plain_text, text_table
from hotloop.report.verdict_box import WrittenFiles, verdict_box
from hotloop.report.wording import plan_toml, speed, status
from hotloop.trial import Result, Trial

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_CHANGE_WIDTH = 24  # of 80 columns: leaves as many for the reason
_NOT_HERE = "does not apply here: "
_AGAINST = "Changes are compared with what was kept before them, the plan with the script"
_LIMIT = ";\n'at most' is what the diagnosis would have a change win (Amdahl's law)"


def summary(result: Result, files: WrittenFiles | None = None) -> "RenderableType":
    """The table of trials, what did not apply, the notes, the plan where no file has it, and the box of the verdict."""
    from rich.console import Group

    files = files or WrittenFiles()
    parts = [_trials(result)]
    parts += _listed("Does not apply here:", _not_here(result))
    parts += _listed("Notes:", shown_notes(result.notes))
    if result.plan and files.plan is None:
        parts += plain_text("\nThe plan, for plan.toml:", "bold"), plain_text(plan_toml(result.plan).rstrip(), "cyan")
    return Group(*parts, plain_text(""), verdict_box(result, files))


def trial_row(trial: Trial, *, with_memory: bool = False) -> "tuple[Text, Text, Text, Text]":
    """Change, speed-up with interval and the most that the diagnosis would have it win, kept or refused, and why.

    `with_memory` adds how many times less memory it needs.
    """
    figure = plain_text(speed(trial.speedup), "" if trial.speedup else "dim")
    if with_memory and trial.memory_ratio is not None:
        figure.append(f"\nmemory, less by\n{speed(trial.memory_ratio)}")
    if trial.speedup and trial.amdahl_limit is not None:
        figure.append(f"\nat most {trial.amdahl_limit:.2f}x", "dim")
    return (
        plain_text(_in_lines(short_change(trial))),
        figure,
        plain_text(status(trial), "green" if trial.kept else "dim"),
        plain_text(trial.reason, "" if trial.kept else "dim"),
    )


def _trials(result: Result) -> "RenderableType":
    table = text_table("Change", "Speed-up", "Verdict", "Reason", figures=["Speed-up"], whole=["Change", "Verdict"])
    has_limits = any(trial.speedup and trial.amdahl_limit is not None for trial in result.trials)
    table.caption = plain_text(f"{_AGAINST}{_LIMIT if has_limits else ''}.", "dim")
    table.caption_justify = "left"
    if result.aa is not None:
        table.add_row(*map(plain_text, ("A/A", speed(result.aa), "noise", "the script against itself")))
    for trial in result.trials:
        if not _did_not_apply(trial):
            *cells, reason = trial_row(trial, with_memory=result.objective.counts_memory)
            table.add_row(*cells, plain_text("see below") if trial.reason == result.message else reason)
    return table if table.row_count else plain_text("Nothing was compared." if result.trials else "Nothing was tried.")


def _did_not_apply(trial: Trial) -> bool:
    return trial.speedup is None and any(v.gate == "applies" and not v.passed for v in trial.verdicts)


def _not_here(result: Result) -> list[str]:
    """What had nothing to act on, a line for each reason."""
    changes: dict[str, dict[str, None]] = {}
    for trial in filter(_did_not_apply, result.trials):
        reason = trial.reason.removeprefix(_NOT_HERE)
        for table in trial.plan:  # a transform that found nothing in the program names itself
            reason = reason.removeprefix(f"{table.get('name')}: ")
        changes.setdefault(reason, {})[short_change(trial)] = None
    return [f"{', '.join(names)}: {reason}" for reason, names in changes.items()]


def _listed(title: str, lines: Sequence[str]) -> "Iterator[RenderableType]":
    from rich.table import Table

    if lines:
        rows = Table.grid(padding=(0, 1, 0, 0))
        for line in lines:
            rows.add_row(" -", plain_text(line, "dim"))
        yield from (plain_text(f"\n{title}", "bold"), rows)


def _in_lines(change: str) -> str:
    """The change in lines that end between two names."""
    lines: list[str] = []
    for name in change.split(" + "):
        if lines and len(f"{lines[-1]} + {name} +") <= _CHANGE_WIDTH:
            lines[-1] += f" + {name}"
        else:
            lines.append(name)
    return " +\n".join(lines)
