import dataclasses
import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.report import readme_table

GOLDEN = Path(__file__).with_name("golden")


def test_the_table_of_the_readme_is_as_agreed(proven, untold):
    assert readme_table([proven, untold]) == (GOLDEN / "readme_table.md").read_text(encoding="utf-8")


@settings(deadline=None)
@given(title=st.text())
def test_no_title_breaks_the_table(untold, title):
    lines = readme_table([dataclasses.replace(untold, workload=title)]).split("\n")
    assert len(lines) == 4
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == 7
