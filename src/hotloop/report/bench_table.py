"""The cells of a benchmark's rows, from the document of `hotloop bench --json`; terminal and page show the same."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hotloop.report.short_names import shortened
from hotloop.report.terminal import plain_text, text_table
from hotloop.report.wording import duration, mebibytes

if TYPE_CHECKING:
    from rich.console import RenderableType

NO_FIGURE = "-"
_FIGURES = ("Batch", "Forward", "Backward", "Step", "Samples/s", "Peak MiB")
_MOST_OPERATORS = 5


def row_name(row: Mapping[str, Any]) -> str:
    """Model, batch, dtype and plan in one line."""
    plan = "no plan" if row["plan"] == "nothing" else shortened(row["plan"])
    parts = [row["model"], f"batch {row['batch']}" if row["batch"] else "", row["dtype"] or "", plan]
    return ", ".join(part for part in parts if part)


def milliseconds(value: float | None) -> str:
    """A time span in the unit that a person would choose; a dash where there is none."""
    return NO_FIGURE if value is None else duration(value / 1e3)


def bounds(row: Mapping[str, Any]) -> str:
    """The step time with its bounds."""
    if row["low"] is None or row["high"] is None:
        return milliseconds(row["step_ms"])
    return f"{milliseconds(row['step_ms'])} [{milliseconds(row['low'])}, {milliseconds(row['high'])}]"


def rate(value: float | None) -> str:
    """Samples a second to three figures or so."""
    if value is None:
        return NO_FIGURE
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def size(num_bytes: int | None) -> str:
    """Bytes as MiB; a dash where nothing was seen."""
    return NO_FIGURE if num_bytes is None else mebibytes(num_bytes)


def convergence_text(row: Mapping[str, Any]) -> str:
    """How the loss fell, and when it came to the target; empty where nobody looked."""
    found = row["convergence"]
    if found is None:
        return ""
    fall = f"loss {found['first_loss']:.4g} to {found['last_loss']:.4g} in {found['steps']:,} steps"
    text = f"{fall}, {found['improvement']:.4g} less per 1000 steps"
    if found["target"] is None:
        return text
    if found["steps_to_target"] is None:
        return f"{text}; never came to {found['target']:g}"
    seconds = duration(found["seconds_to_target"])
    return f"{text}; at {found['target']:g} after {found['steps_to_target']:,} steps, {seconds}"


def benchmark_text(document: Mapping[str, Any], files: Sequence[str] = ()) -> "RenderableType":
    """What `hotloop bench` prints: a table, how each loss fell, the busiest operators, the notes, the files."""
    from rich.console import Group

    table = text_table("Row", "Step", "Forward", "Backward", "Samples/s", "Peak MiB", figures=_FIGURES)
    for row in document["rows"]:
        name = plain_text(row_name(row))
        if row["failure"]:
            table.add_row(name, plain_text("failed", "red"))
            continue
        cells = (
            bounds(row).replace(" [", "\n["),
            milliseconds(row["forward_ms"]),
            milliseconds(row["backward_ms"]),
            rate(row["throughput"]),
            size(row["peak_memory_bytes"]),
        )
        table.add_row(name, *map(plain_text, cells))
    return Group(table, *(plain_text(line, style) for line, style in _lines(document, files)))


def _lines(document: Mapping[str, Any], files: Sequence[str]) -> list[tuple[str, str]]:
    lines = [(f"{row_name(row)}: {row['failure']}", "red") for row in document["rows"] if row["failure"]]
    for row in document["rows"]:
        load = "" if row["load_ms"] is None else f"ready after {milliseconds(row['load_ms'])}"
        compiled = f"compiled in {duration(row['compile_s'])}" if row["compile_s"] else ""
        told = "; ".join(part for part in (load, compiled, convergence_text(row)) if part)
        lines += [(f"{row_name(row)}: {told}", "dim")] if told else []
    if document["profile"]:
        lines.append((f"Busiest operators of {row_name(document['rows'][document['profile']['row']])}:", "bold"))
        lines += [
            (f"  {operator['share']:5.1%}  {duration(operator['seconds'])}  {operator['name']}", "")
            for operator in document["profile"]["operators"][:_MOST_OPERATORS]
        ]
    lines += [(f"Note: {note}.", "") for note in document["notes"]]
    return lines + [(f"Wrote {file}", "dim") for file in files]
