"""A diagnosis in the terminal, as rich renderables: the step's phases, the findings, the modules that take the time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotloop.finding import Finding
from hotloop.report.terminal import plain_text, text_table
from hotloop.report.wording import duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_MOST_MODULES = 12
_MOST_FINDINGS = 30
_LINES = 5


def diagnosis_text(document: Mapping[str, Any], findings: Sequence[Finding], *, folder: Path) -> "RenderableType":
    """What `hotloop diagnose` prints, from the document of `--json`; paths are told relative to `folder`."""
    from rich.console import Group

    step = f"A step takes {duration(document['step_seconds'])} (mean of {document['steps']} steps)."
    kind = document.get("kind")
    first = [f"This program is {kind['message']}."] if kind else []
    parts: list[RenderableType] = [*first, step, "", _phases(document), ""]
    parts.append(_findings(findings[:_MOST_FINDINGS], folder) if findings else "Nothing was found that costs time.")
    if len(findings) > _MOST_FINDINGS:
        parts.append(f"{len(findings) - _MOST_FINDINGS} more; --json lists all.")
    if document["modules"]:
        rows = [
            (row["name"], row["type"], f"{row['self_share']:.1%}", f"{row['share']:.1%}", f"{row['bound']:.2f}x")
            for row in document["modules"][:_MOST_MODULES]
        ]
        parts += ["", _table(("Module", "Type", "Self", "Total", "At most"), rows), ""]
    parts += _remarks(document, folder)
    return Group(*(plain_text(part) if isinstance(part, str) else part for part in parts))


def _phases(document: Mapping[str, Any]) -> "Table":
    rows: list[tuple[str, ...]] = []
    for name, phase in document["phases"].items():
        if phase["ms"] > 0:
            rows.append((name.replace("_", " "), duration(phase["ms"] / 1e3), f"{phase['share']:.1%}"))
    for name, what in document["outside"].items():
        share = f"{what['share']:.1%} of all time" if "share" in what else ""
        rows.append((f"outside steps: {name.replace('_', ' ')}", duration(what["seconds"]), share))
    return _table(("Phase", "Time", "Share"), rows)


def _findings(findings: Sequence[Finding], folder: Path) -> "Table":
    rows: list[tuple[str, ...]] = []
    for found in findings:
        share = "" if found.share is None else f"{found.share:.1%}"
        most = "" if found.amdahl_limit is None else f"{found.amdahl_limit:.2f}x"
        where = f"{relative(found.path, folder)}:{found.line}" if found.path else ""
        cure = f"{found.cure} (transform {found.transform})" if found.transform else found.cure
        rows.append((found.code, where, share, most, f"{found.message}. Cure: {cure}."))
    return _table(("Rule", "Where", "Share", "At most", "What, and what to do"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    table = text_table(*columns, figures=("Time", "Share", "At most", "Self", "Total"), whole=("Rule",))
    for row in rows:
        table.add_row(*map(plain_text, row))
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
