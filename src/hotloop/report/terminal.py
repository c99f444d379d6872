"""Tables and text of the terminal, as all commands print them."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from hotloop.report.wording import printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def plain_text(text: str, style: str = "") -> "Text":
    """Never a plain string: rich would read [brackets] in it as markup."""
    from rich.text import Text

    return Text(printable(text), style=style)


def text_table(*columns: str, figures: Collection[str] = (), whole: Collection[str] = ()) -> "Table":
    """An empty table; `figures` stand to the right, and neither they nor those in `whole` are broken into lines."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in figures else "left",
            no_wrap=column in figures or column in whole,
            overflow="fold",
        )
    return table
