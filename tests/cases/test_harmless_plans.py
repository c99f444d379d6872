"""Every harmless plan on every program: nearly all PASS, the others INCONCLUSIVE, none refused."""

import pytest


def check(summary):
    assert summary["applicable_pairs"]
    assert summary["outcomes"].keys() <= {"PASS", "INCONCLUSIVE", "does not apply"}, summary["not_passed"]


@pytest.mark.timeout(600)
def test_harmless_plans_go_through_on_two_programs(table):
    plans = ("nothing", "fused_optimizer", "autocast", "channels_last")
    summary = table("harmless_plans", "--programs", "recurrent.py", "cases/lazy.py", "--plans", *plans)["summary"]
    check(summary)
    assert summary["programs"] == 2
    assert summary["pass_share"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_harmless_plans_go_through_on_every_program(table):
    summary = table("harmless_plans")["summary"]
    check(summary)
    assert summary["pass_share"] >= 0.9
