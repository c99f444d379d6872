"""Every harmless plan on every program: nearly all PASS, the others INCONCLUSIVE, none refused."""

import pytest


def check(summary):
    assert summary["applicable_pairs"]
    assert summary["outcomes"].keys() <= {"PASS", "INCONCLUSIVE", "does not apply", "not harmless"}, summary[
        "not_passed"
    ]


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


def test_compile_does_not_apply_to_a_program_that_differentiates_twice(table):
    (row,) = table("harmless_plans", "--programs", "wgan_gp.py", "--plans", "compile aot_eager")["rows"]
    assert row["outcome"] == "does not apply"
    assert "compile: torch.compile does not do gradients of gradients" in row["message"]


def test_a_plan_that_is_not_harmless_for_one_program_is_refused_there(table):
    (row,) = table("harmless_plans", "--programs", "physics.py", "--plans", "autocast")["rows"]
    assert row["outcome"] == "not harmless"
    assert "the final state" in row["message"]
