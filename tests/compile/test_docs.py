"""The table of docs/compile.md names every row, and tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = {*(f"CO{number:02d}" for number in range(1, 12)), "E4", "H1", "L1", "M1"}


def test_every_row_has_a_test_that_exists():
    lines = [line.split(" | ") for line in (ROOT / "docs" / "compile.md").read_text().splitlines()]
    table = [cells for cells in lines if len(cells) == 3 and "::test_" in cells[2]]
    assert {code for codes, _, _ in table for code in codes.strip("| ").split(", ")} == ROWS
    for _, _, test in table:
        path, _, name = test.strip("`| ").partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test
