"""A diagnosis in the terminal, as rich renderables: the step's phases, the findings, the modules that take the time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.finding import Finding
from hotloop.report.wording import duration, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_MOST_MODULES = 12
_MOST_FINDINGS = 30
_LINES = 5


def diagnosis_text(document: Mapping[str, Any], findings: Sequence[Finding], *, folder: Path) -> "RenderableType":
    """What `hotloop diagnose` prints, from the document of `--json`; paths are told relative to `folder`."""
    from rich.console import Group

    step = f"A step takes {duration(document['step_seconds'])} (mean of {document['steps']} steps)."
    parts: list[RenderableType] = [_text(step), _phases(document)]
    if findings:
        parts.append(_findings(findings[:_MOST_FINDINGS], folder))
    else:
        parts.append(_text("Nothing was found that costs time."))
    if len(findings) > _MOST_FINDINGS:
        parts.append(_text(f"{len(findings) - _MOST_FINDINGS} more; --json lists all."))
    if document["modules"]:
        parts.append(_modules(document["modules"][:_MOST_MODULES]))
    parts.extend(_text(line) for line in _remarks(document, folder))
    return Group(*parts)


def _phases(document: Mapping[str, Any]) -> "Table":
    table = _table("Phase", "Time", "Share")
    for name, phase in document["phases"].items():
        if phase["ms"] > 0:
            time = duration(phase["ms"] / 1e3)
            table.add_row(_text(name.replace("_", " ")), _text(time), _text(f"{phase['share']:.1%}"))
    for name, what in document["outside"].items():
        share = f"{what['share']:.1%} of all time" if "share" in what else ""
        title = f"outside steps: {name.replace('_', ' ')}"
        table.add_row(_text(title), _text(duration(what["seconds"])), _text(share))
    return table


def _findings(findings: Sequence[Finding], folder: Path) -> "Table":
    table = _table("Rule", "Where", "Share", "At most", "What, and what to do")
    for found in findings:
        share = "" if found.share is None else f"{found.share:.1%}"
        most = "" if found.amdahl_limit is None else f"{found.amdahl_limit:.2f}x"
        cure = f"{found.cure} (transform {found.transform})" if found.transform else found.cure
        table.add_row(
            _text(found.code),
            _text(f"{relative(found.path, folder)}:{found.line}" if found.path else ""),
            _text(share),
            _text(most),
            _text(f"{found.message}. Cure: {cure}."),
        )
    return table


def _modules(modules: Sequence[Mapping[str, Any]]) -> "Table":
    table = _table("Module", "Type", "Self", "Total", "At most")
    for row in modules:
        shares = (_text(f"{row['self_share']:.1%}"), _text(f"{row['share']:.1%}"), _text(f"{row['amdahl_limit']:.2f}x"))
        table.add_row(_text(row["name"]), _text(row["type"]), *shares)
    return table


def _remarks(document: Mapping[str, Any], folder: Path) -> list[str]:
    seen = document["seen"]
    lines: list[str] = []
    if operators := seen.get("operators"):
        lines.append(
            f"{operators['per_step']:.0f} operators a step, {operators['tiny_per_step']:.0f} on less than 16 KiB."
        )
        busiest = [f"{relative(path, folder)}:{line} {share:.0%}" for path, line, share in operators["lines"][:_LINES]]
        lines.append(f"Lines whose operators take most of the time: {', '.join(busiest)}.")
    if memory := seen.get("memory"):
        owner = memory["module"] or f"{relative(memory['path'], folder)}:{memory['line']}"
        lines.append(f"Tensors take {memory['peak'] / 2**20:,.1f} MiB at the peak, in {owner}.")
    lines.extend(f"Note: {note}." for note in document["notes"])
    return lines


def relative(path: str, folder: Path) -> str:
    """A path as a person in `folder` would name it; files elsewhere keep their last three parts."""
    place = Path(path)
    if place.is_relative_to(folder):
        return str(place.relative_to(folder))
    return str(Path("...", *place.parts[-3:])) if len(place.parts) > 4 else path


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for column in columns:
        is_figure = column in ("Time", "Share", "At most", "Self", "Total")
        table.add_column(column, justify="right" if is_figure else "left", no_wrap=is_figure, overflow="fold")
    return table


def _text(text: str) -> "Text":
    """Never a plain string: rich would read [brackets] in it as markup."""
    from rich.text import Text

    return Text(printable(text))
