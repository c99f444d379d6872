"""Pages: a table for a pull request, and the text of an issue on two installations."""

from dataclasses import replace

import pytest

from hotloop.guard.counts import Counts
from hotloop.guard.guard_report import GuardReport
from hotloop.guard.metric import Metric
from hotloop.guard.pages import page_of
from hotloop.guard.side import Installation, Side
from hotloop.measurement import Interval
from hotloop.verdict import Outcome

COUNTS = Counts(
    steps=60,
    read_steps=20,
    graphs=1,
    compile_seconds=1.0,
    graph_breaks=(),
    recompiles=(),
    reads={},
    operators={"addmm": 2.0, "tanh": 1.0},
    memory=2**20,
)


@pytest.fixture
def report(cpu_machine, tmp_path):
    metric = Metric(
        name="step_time",
        base=0.01,
        head=0.011,
        ratio=1.1,
        low=1.08,
        high=1.12,
        verdict=Outcome.FAIL,
        message="so | so",
    )
    return GuardReport(
        verdict=Outcome.FAIL,
        message="worse: step_time",
        workload="train.py --epochs 3",
        base=Side(tree=tmp_path, revision="main", commit="a" * 40),
        head=Side(tree=tmp_path, revision="HEAD", commit="b" * 40, is_dirty=True),
        metrics=(metric,),
        environment=cpu_machine,
        command="hotloop guard --base main train.py",
        notes=("something to know",),
    )


def test_the_page_of_a_pull_request_is_a_table(report):
    page = page_of(report)
    assert page.startswith("### hotloop guard: regression\n")
    assert "| FAIL | `step_time` | so \\| so |" in page
    assert "main (aaaaaaaaaaaa) -> HEAD (bbbbbbbbbbbb), with changes that are not committed" in page
    assert "- something to know" in page
    assert "Example 9000" in page


def test_the_text_of_an_issue_has_all_that_a_maintainer_asks_for(report):
    old = Installation(path="/old/python", python="3.12.1", packages={"torch": "2.12.0", "numpy": "2.0", "gone": "1"})
    new = Installation(path="/new/python", python="3.12.1", packages={"torch": "2.13.0", "numpy": "2.0", "new": "3"})
    found = replace(
        report,
        base=replace(report.base, installation=old),
        head=replace(report.head, installation=new),
        step=Interval(ratio=0.909, low=0.893, high=0.926),
        aa=Interval(ratio=1.001, low=0.995, high=1.007),
        base_counts=COUNTS,
        head_counts=replace(
            COUNTS, operators={"addmm": 2.0, "tanh": 3.0}, graph_breaks=("train.py:4: print",), memory=3 * 2**20
        ),
    )
    page = page_of(found)
    for part in (
        "worse `step_time`",
        "| torch | 2.12.0 | 2.13.0 |",
        "| gone | 1 | absent |",
        "| new | absent | 3 |",
        "0.909x [0.893, 0.926]",
        "A/A): 1.001x [0.995, 1.007]",
        "operators: tanh: 1 -> 3",
        "graph breaks: train.py:4: print: 0 -> 1",
        "1.0 MiB -> 3.0 MiB",
        "/old/python",
        "/new/python",
    ):
        assert part in page
    assert "| numpy" not in page


def test_what_is_the_same_is_said(report):
    same = Installation(path="/a/python", python="3.12.1", packages={"torch": "2.13.0"})
    sides = {name: replace(report.base, installation=same) for name in ("base", "head")}
    page = page_of(replace(report, **sides, base_counts=COUNTS, head_counts=COUNTS))
    assert "The same in both: Python 3.12.1, torch 2.13.0." in page
    assert "are the same." in page
