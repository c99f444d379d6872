"""`hotloop run` of each program to its end under each plan: what it leaves is what the plain run leaves."""

import pytest


def check(found):
    assert found["rows"]
    assert [row for row in found["rows"] if row["outcome"] != "same"] == []


@pytest.mark.timeout(600)
def test_weights_and_saved_files_are_those_of_the_plain_run(table):
    plans = ("fused_optimizer", "autocast")
    found = table("run_to_end", "--programs", "raw_tensors.py", "resume_layout.py", "--plans", *plans)
    check(found)
    assert {row["file"] for row in found["rows"]} == {"final.pt", "last.pt"}


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_every_program_ends_where_its_plain_run_does(table):
    check(table("run_to_end"))
