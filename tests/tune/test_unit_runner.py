"""A runner measures real units in this process, as on a machine of a cluster."""

import json
import os

import pytest

from hotloop.measurement import Clock
from hotloop.transform import Plan
from hotloop.transforms.fused_optimizer import FusedOptimizer
from hotloop.tune.screening import KEPT
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, ScreeningUnit, program_digest
from hotloop.tune.unit_runner import UnitRunner
from hotloop.worker.spec import workload_data


@pytest.fixture
def runner(monkeypatch):
    """One that was asked from a process with one variable more, and without another."""
    for name, value in dict(os.environ).items():
        monkeypatch.setenv(name, value)  # all of them are as before afterwards
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    variables = {**os.environ, "HOTLOOP_TEST_VARIABLE": "there", "OMP_NUM_THREADS": "1"}
    runner = UnitRunner(json.dumps(variables))
    yield runner
    runner.close()
    os.environ.pop("HOTLOOP_TEST_VARIABLE")


def unit(workload, arms):
    return ScreeningUnit(
        workload=workload,
        arms=arms,
        clock=Clock.WALL,
        seconds=1.0,
        replicates=1,
        order_seed=3,
        variables={},
        may_overwrite=(),
        first_step_limit=60.0,
        turn_limit=60.0,
    )


def test_it_has_the_variables_of_the_one_that_asks(runner):
    assert os.environ["HOTLOOP_TEST_VARIABLE"] == "there"
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_it_describes_its_machine_and_the_program_there(runner, program):
    found = MachineDescription.from_json(runner.describe(json.dumps(workload_data(program("mlp")))))
    assert found.program == program_digest(program("mlp"))
    assert found.environment.variables["OMP_NUM_THREADS"] == "1"


def test_it_measures_all_arms_of_a_unit_and_says_what_failed(runner, program):
    arms = {KEPT: Plan(), "again": Plan(), "fused": Plan((FusedOptimizer(),)), "hook": Plan.from_data([HOOK])}
    found = MeasuredUnit.from_json(runner.measure(unit(program("mlp"), arms).to_json()))
    assert found.failure == ""
    (replicate,) = found.replicates
    assert {block.arm for block in replicate.blocks} == {KEPT, "again", "fused"}
    assert list(replicate.failures) == ["hook"]


def test_a_program_that_cannot_be_measured_is_a_failure_in_words(runner, program):
    found = MeasuredUnit.from_json(runner.measure(unit(program("mlp", "4"), {KEPT: Plan()}).to_json()))
    assert found.replicates == ()
    assert "train longer" in found.failure


HOOK = {"name": "comm_hook", "kind": "fp16"}
