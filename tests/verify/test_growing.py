"""Plans on a network whose graph changes in training: they hold through every change, or the stage is named."""

import pytest

pytest.importorskip("sklearn")

from hotloop.errors import WorkloadCrashed
from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.usefixtures("forked")
COMPILE = {"name": "compile", "backend": "eager"}


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growing")
    return DriftGate(parse_workload("growth", folder=folder), Settings(folder=folder))


@pytest.mark.parametrize(
    "table",
    [COMPILE, {"name": "fused_optimizer"}, pytest.param({"name": "autocast"}, marks=pytest.mark.slow)],
    ids=lambda table: table["name"],
)
def test_a_plan_holds_through_every_change_of_the_graph(growing, table):
    result = growing.check(Plan.from_data([table]))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert "11 phases ('b0 is dormant, b1 is dormant' to 'b0 is fossilized" in result.verdicts[0].message


def test_compiling_that_is_given_up_is_refused_with_the_stage_in_which_it_was(growing, program, tmp_path):
    workload = parse_workload("growth_blind.py:build", folder=program("mlp").folder)
    result = DriftGate(workload, Settings(folder=tmp_path)).check(Plan.from_data([COMPILE]))
    (verdict,) = result.verdicts
    assert verdict.outcome is Outcome.FAIL
    assert "while b0 is fossilized (conv_heavy), b1 is " in verdict.message
    assert "recompile_limit" in verdict.message


@pytest.mark.slow
def test_a_step_that_is_captured_whole_breaks_at_its_ninth_form_and_says_in_which_stage(growing):
    with pytest.raises(
        WorkloadCrashed, match=r"captured 8 times.*in step 17, while b0 is fossilized .* b1 is training"
    ):
        growing.check(Plan.from_data([{"name": "whole_step"}]))
