"""Whether the drawing of the house in docs/architecture.md shows the folders that there are."""

import re
from pathlib import Path

from tools.house.offender import Offender
from tools.house.source import Checkout

DOCUMENT = Path("docs/architecture.md")

_FOLDER = re.compile(r"(?<![\w/.-])([a-z][a-z0-9_]*)/(?=$|[\s<,;:.)|])", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(?<![\w/.-])([a-z][a-z0-9_]*)/<")


def differences_from_drawing(checkout: Checkout) -> list[Offender]:
    """Folders that the first code block names and that do not exist, and folders that it does not name.

    A folder is named by `name/`, wherever it lies; `name/<kind>` names all folders in that one.
    """
    text = (checkout.root / DOCUMENT).read_text(encoding="utf-8")
    drawn, start = _first_block(text)
    named = {match.group(1): start + drawn[: match.start()].count("\n") for match in _FOLDER.finditer(drawn)}
    home = checkout.root / "src" / checkout.package
    real = {path.name for path in home.rglob("*") if path.is_dir()}
    absent = [
        Offender(path=DOCUMENT, line=line, what=f"draws {name}/, which is no folder of the package")
        for name, line in named.items()
        if name not in real
    ]
    with_any = {match.group(1) for match in _PLACEHOLDER.finditer(drawn)}
    return absent + [
        Offender(path=folder.relative_to(checkout.root), line=0, what=f"is not drawn in {DOCUMENT}")
        for folder in sorted({path.parent for path in home.rglob("*.py")} - {home})
        if folder.name not in named and folder.parent.name not in with_any
    ]


def _first_block(text: str) -> tuple[str, int]:
    """The first fenced code block, and the number of its first line. Raises ValueError where there is none."""
    block = re.search(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if block is None:
        raise ValueError(f"{DOCUMENT} has no code block: draw the folders in one")
    return block.group(1), text[: block.start(1)].count("\n") + 1
