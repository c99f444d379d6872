import importlib.util
import io

import pytest
from rich.console import Console
from tests.history.conftest import step_times

from hotloop.history.chosen import Chosen
from hotloop.history.report import history_document
from hotloop.report.history_page import history_page, history_text


@pytest.fixture
def filled(history, add):
    for day, step in enumerate(step_times(0, count=130)):
        add(day, step)
    return history


def test_the_page_and_the_terminal_tell_each_change(filled):
    document = history_document(filled, Chosen(), metric="step_time", with_changes=False)
    (series,) = document["series"]
    series["changes"] = [{"index": 50, "session": 51, "revision": "c50", "before": 0.02, "after": 0.0216}]
    page = history_page(document)
    assert page.count('class="change"') == 1
    assert "+8.0 %" in page
    assert "<script" not in page
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(history_text(document))
    text = console.export_text()
    assert "+8.0 % at session 51 (commit c50): 20 ms to 21.6 ms" in text
    assert 7 <= text.count("|") <= 8  # a bar of eight rows, over which one dot may lie


@pytest.mark.skipif(importlib.util.find_spec("ruptures") is None, reason="ruptures is not installed")
def test_planted_changes_are_in_the_document(filled):
    (series,) = history_document(filled, Chosen(), metric="step_time")["series"]
    assert [abs(change["index"] - place) <= 3 for change, place in zip(series["changes"], (50, 110), strict=True)] == [
        True,
        True,
    ]


def test_an_empty_history_has_an_empty_document(history):
    assert history_document(history, Chosen()) == {"schema": 1, "sessions": [], "series": [], "notes": []}
