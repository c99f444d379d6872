"""Every rule: its file is named after what it finds, and its fixtures hold what it fires on and what it does not."""

import re
import sys
from pathlib import Path

import pytest

from hotloop.lint.catalogue import catalogue, rules
from hotloop.lint.dispatch import Dispatch
from hotloop.lint.source_model.source_file import read_source

FIXTURES = Path(__file__).parent / "fixtures"
RULES = {rule.code.lower(): rule for rule in rules()}
FILES = sorted(path for path in FIXTURES.glob("*.py") if path.name.partition("_")[0] in RULES)
FOLDER = Path(sys.modules["hotloop.lint.catalogue"].__file__).parent / "rules"
RULE_FILES = {path.stem: path.parent.name for path in FOLDER.glob("*/[a-z]*.py")}


def marked(text, code):
    lines = enumerate(text.splitlines(), start=1)
    return [number for number, line in lines if re.search(rf"# fires: .*\b{code}\b", line)]


def test_every_file_in_a_family_is_a_rule_and_no_two_share_a_name_or_a_code():
    assert len(RULE_FILES) == len(list(FOLDER.glob("*/[a-z]*.py")))
    assert set(RULE_FILES) == {entry.name for entry in catalogue()}
    assert len({entry.code for entry in catalogue()}) == len(catalogue())


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_a_rule_file_is_named_after_what_it_finds_and_lies_in_the_family_of_its_code(entry):
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", entry.name)
    assert re.fullmatch(r"[A-Z]{2}\d\d", entry.code)
    assert entry.code[:2] == RULE_FILES[entry.name][:2].upper()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_the_class_of_a_rule_has_the_name_of_its_file(rule):
    name = type(rule).__module__.rpartition(".")[2]
    assert type(rule).__name__ == "".join(word.capitalize() for word in name.split("_"))


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
    assert entry.rule is not None or not entry.unlinted.reason.endswith(".")  # the reference puts it into a sentence
