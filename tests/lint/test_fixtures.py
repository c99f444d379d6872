"""Every rule on its fixtures: it fires on each marked line and on no other, and is silent on the clean twins."""

import re
from pathlib import Path

import pytest

from hotloop.lint.engine import Dispatch, catalogue, rules
from hotloop.lint.source import read_source

FIXTURES = Path(__file__).parent / "fixtures"
RULES = {rule.name: rule for rule in rules()}
FILES = sorted(path for path in FIXTURES.glob("*.py") if path.name.partition("_")[0] in RULES)


def marked(text, code):
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if re.search(rf"# fires: .*\b{code}\b", line)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_fires_on_the_marked_lines_and_on_no_other(path):
    name = path.name.partition("_")[0]
    expected = marked(path.read_text(), name.upper())
    assert bool(expected) == path.stem.endswith("fires")
    assert sorted({found.line for found in Dispatch([RULES[name]]).findings(read_source(path))}) == expected


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_a_firing_and_a_silent_fixture(name):
    assert {FIXTURES / f"{name}_fires.py", FIXTURES / f"{name}_silent.py"} <= set(FILES)


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_a_code_without_a_rule_says_why_and_which_tool_sees_it(entry):
    assert entry.rule is not None or (entry.unlinted and entry.unlinted.reason and entry.unlinted.tool)
