"""Every planted fault in programs of every shape, alone and under bf16: none that acts is accepted."""

import pytest

QUICK = ("one_zeroed", "clipped_later", "inputs_rounded", "scale_gradients", "buffers_undone", "schedule")


def check(summary, *, at_least):
    assert summary["applicable_pairs"] >= at_least
    assert summary["accepted_rows"] == []
    assert summary["crashed_rows"] == []
    assert summary["refused_though_idle"] == []


@pytest.mark.timeout(600)
def test_no_fault_that_acts_is_accepted_in_a_usual_program(table):
    found = table("planted_faults", "--programs", "--n 640", "--faults", *QUICK)
    check(found["summary"], at_least=12)
    assert {row["where"] for row in found["rows"]} == {"alone", "under bf16"}


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_no_fault_that_acts_is_accepted_in_any_program(table):
    summary = table("planted_faults")["summary"]
    check(summary, at_least=240)
    assert summary["faults"] >= 40
    assert summary["programs"] >= 6
