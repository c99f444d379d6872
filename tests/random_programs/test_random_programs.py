"""Generated programs under plans, run to their ends outside of the gates and judged by them."""

import ast

import pytest

from benchmarks.verify.generated_programs import generate


def check(summary, *, programs):
    assert summary["programs"] == programs
    assert summary["do_not_train"] == []
    assert summary["crashed"] == []
    assert summary["wrong_and_accepted"] == []


def test_a_seed_gives_the_same_program_and_another_one_another():
    sources = [generate(seed).source for seed in range(200)]
    assert len(set(sources)) == 200
    assert sources[7] == generate(7).source
    assert all(ast.parse(source) for source in sources)


@pytest.mark.timeout(600)
def test_no_plan_is_wrong_and_accepted_on_a_few_programs(table):
    check(table("random_programs", "--seeds", "0", "6")["summary"], programs=6)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_no_plan_is_wrong_and_accepted_on_two_hundred_programs(table):
    check(table("random_programs")["summary"], programs=200)


@pytest.mark.timeout(600)
def test_no_captured_step_is_wrong_and_accepted_on_a_few_programs(table):
    check(table("random_programs", "--captured", "aten", "--seeds", "0", "4")["summary"], programs=4)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_no_captured_step_is_wrong_and_accepted_on_two_hundred_programs(table):
    check(table("random_programs", "--captured", "aten")["summary"], programs=200)
