"""Figures of one or several checkouts as a table of text."""

from collections.abc import Mapping
from dataclasses import asdict

from tools.house.figures import Figures


def as_table(columns: Mapping[str, Figures]) -> str:
    """One line a figure, one column a checkout, titled by its name."""
    rows = [["", *columns]]
    values = {title: asdict(figures) for title, figures in columns.items()}
    for name in Figures.__dataclass_fields__:
        rows.append([name.replace("_", " "), *(f"{values[title][name]:,g}" for title in columns)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: list[str], widths: list[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    return "  ".join(cells).rstrip()
