"""Past sessions as people read them: the page with a plot for each series, and the table of the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hotloop.report.html import render
from hotloop.report.series_plot import figure, percent, plot_series, terminal_plot
from hotloop.report.terminal import plain_text, text_table

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_SESSIONS = 200


def history_page(document: Mapping[str, Any]) -> str:
    """The whole page as HTML, from the document of `hotloop history --json`."""
    plots = [(series, plot_series(series)) for series in document["series"]]
    context = {
        "document": document,
        "plots": plots,
        "num_changes": sum(len(series["changes"]) for series in document["series"]),
        "shown": document["sessions"][:_MOST_SESSIONS],
        "figure": figure,
        "percent": percent,
    }
    return render("history.html", context)


def history_text(document: Mapping[str, Any]) -> "RenderableType":
    """The newest sessions, and a plot of each series with its changes."""
    from rich.console import Group

    table = text_table(
        "Id", "Started", "Verb", "Workload", "Verdict", figures=["Id"], whole=["Started", "Verb", "Verdict"]
    )
    for row in document["sessions"][:_MOST_SESSIONS]:
        cells = (str(row["id"]), row["started"][:16].replace("T", " "), row["kind"], row["workload"])
        table.add_row(*map(plain_text, (*cells, row["verdict"] or row["state"])))
    parts: list[RenderableType] = [table]
    for series in document["series"]:
        last = figure(series["metric"], series["points"][-1]["value"])
        name = f"\n{series['metric']} of {series['workload']} ({series['machine']})"
        parts.append(plain_text(f"{name}: {last}, {len(series['points'])} sessions", "bold"))
        parts.append(plain_text(terminal_plot(series)))
        parts += [plain_text(f"  {line}") for line in change_lines(series)]
    parts += [plain_text(f"Note: {note}") for note in document["notes"]]
    return Group(*parts)


def change_lines(series: Mapping[str, Any]) -> list[str]:
    """One line for each change of level."""
    return [
        f"{percent(change)} at session {change['session']}"
        + (f" (commit {change['revision'][:10]})" if change["revision"] else "")
        + f": {figure(series['metric'], change['before'])} to {figure(series['metric'], change['after'])}"
        for change in series["changes"]
    ]
