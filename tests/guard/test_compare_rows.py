"""Each row of a matrix is judged by itself, and the report says which one became worse."""

import json

import pytest

from hotloop.guard.compare_rows import compare_rows, is_matrix
from hotloop.guard.limits import GuardSettings
from hotloop.guard.pages import page_of
from hotloop.guard.request import Request
from hotloop.proof.session import Options
from hotloop.verdict import Outcome

NETS = """
from torch import nn


class Gate(nn.Module):
    def forward(self, x):
        return x


def plain():
    return nn.Linear(8, 3)


def gated():
    return nn.Sequential(Gate(), nn.Linear(8, 3))
"""
MATRIX = """
plans = ["nothing", "fused.toml"]
batch = [4]

[[model]]
model = "nets:plain"
name = "plain"
inputs = [{ shape = [8] }]
loss = "cross_entropy"
"""
GATED = """
[[model]]
model = "nets:gated"
name = "gated"
inputs = [{ shape = [8] }]
loss = "cross_entropy"
"""
READS = "        x.sum().item()\n        return x"


@pytest.fixture
def compare(make_repository):
    def run(base, head):
        repository = make_repository("models")
        for files in (base, head):
            (repository.folder / "bench.toml").write_text(files["bench"])
            repository.commit("Change", nets=files["nets"])
        settings = GuardSettings(metrics=("host_reads", "operators"), steps=10)
        request = Request(target="bench.toml", folder=repository.folder, base="HEAD~1", head="HEAD", settings=settings)
        return compare_rows(request, options=Options(budget=120.0))

    return run


def test_the_row_that_became_worse_is_named(compare):
    changed = NETS.replace("        return x", READS)
    report = compare({"bench": MATRIX + GATED, "nets": NETS}, {"bench": MATRIX + GATED, "nets": changed})
    assert {title: found.verdict for title, found in report.reports.items()} == {
        "plain/4/float32": Outcome.PASS,
        "gated/4/float32": Outcome.FAIL,
    }
    data = json.loads(report.to_json())
    assert (data["verdict"], data["message"]) == ("FAIL", "worse: 1 of 2 rows (gated/4/float32)")
    assert [(metric["row"], metric["name"]) for metric in data["metrics"] if metric["verdict"] == "FAIL"] == [
        ("gated/4/float32", "host_reads")
    ]
    assert data["notes"][0] == "not compared: the plans fused.toml; each row ran without a plan"
    assert "nets.py:7: item" in report.text()
    assert page_of(report).startswith("## hotloop guard: regression\n\n`bench.toml`: worse: 1 of 2 rows")


def test_a_row_that_base_does_not_have_could_not_be_told(compare):
    report = compare({"bench": MATRIX, "nets": NETS}, {"bench": MATRIX + GATED, "nets": NETS})
    assert (report.verdict, report.reports["plain/4/float32"].verdict) == (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert "has no row 'gated/4/float32'; its rows are: plain/4/float32" in report.reports["gated/4/float32"].message


def test_only_a_whole_matrix_is_one():
    assert is_matrix("bench.toml")
    assert not is_matrix("bench.toml:plain/4/float32")
    assert not is_matrix("train.py")
