"""Compilers that change what a graph computes are refused, and those that only round otherwise are not."""

import pytest


def check(summary, *, rules, models):
    assert summary["models"] == models
    assert summary["accepted_faults"] == []
    assert summary["harmless_not_accepted"] == []
    assert min(summary["fault"]["rules"], summary["harmless"]["rules"]) >= rules


@pytest.mark.timeout(600)
def test_rules_that_change_a_policy_are_refused(table):
    arguments = ("--models", "policy", "--rules", "tanh", "sigmoid", "bias dropped", "products")
    check(table("planted_miscompiles", *arguments)["summary"], rules=4, models=1)


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600)
def test_twenty_faults_are_refused_and_twenty_harmless_rules_are_not(table):
    check(table("planted_miscompiles")["summary"], rules=20, models=10)
