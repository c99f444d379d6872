"""The catalogue and the reference that is written from it."""

from pathlib import Path

import pytest

from hotloop.lint.catalogue import catalogue
from hotloop.lint.rule_reference import catalogue_text, reference

DOCS = Path(__file__).parents[2] / "docs" / "rules.md"

COUNTS = {"SY": 10, "DA": 15, "CO": 12, "OP": 10, "ME": 11}
CODES = {f"{family}{number:02}" for family, count in COUNTS.items() for number in range(1, count + 1)}


def test_the_catalogue_is_complete():
    assert {entry.code for entry in catalogue()} >= CODES


def test_the_reference_is_up_to_date():
    assert DOCS.read_text() == reference(), "run: python -m hotloop.lint.rule_reference docs/rules.md"


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: entry.code)
def test_a_code_has_a_page_with_an_anchor_and_whole_sentences(entry):
    assert f'<a id="{entry.code.lower()}"></a>' in reference()
    assert entry.doc.title
    assert not entry.doc.title.endswith(".")
    for text in (entry.doc.why, entry.doc.cure):
        assert text.isascii()
        assert text.endswith((".", ")", "`"))


def test_the_list_names_every_code_and_the_tool_of_those_that_are_not_linted():
    text = catalogue_text()
    for entry in catalogue():
        assert entry.code in text
        assert entry.unlinted is None or entry.unlinted.tool in text
