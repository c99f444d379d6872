"""What travels between machines is JSON text, and says the same at both ends."""

import math

import pytest

from hotloop.compare.replicate import Replicate
from hotloop.measurement import Block, Clock, Memory
from hotloop.transform import Plan
from hotloop.transforms.autocast import Autocast
from hotloop.tune.screening_unit import MachineDescription, MeasuredUnit, ScreeningUnit, program_digest
from hotloop.verdict import Outcome, Verdict
from hotloop.workload import Recipe


def test_a_unit_is_the_same_at_the_other_end(program):
    unit = ScreeningUnit(
        workload=program("mlp", "300"),
        arms={"kept": Plan(), "autocast": Plan((Autocast(),))},
        clock=Clock.CPU,
        seconds=6.0,
        replicates=2,
        order_seed=7,
        variables={"OMP_NUM_THREADS": "1"},
        may_overwrite=("*.pt",),
        first_step_limit=20.0,
        turn_limit=60.0,
    )
    assert ScreeningUnit.from_json(unit.to_json()) == unit


def test_what_was_measured_is_the_same_at_the_other_end():
    block = Block(replicate=0, round=1, arm="kept", wall=(0.1, 0.2), cpu=(0.1, 0.1), losses=(1.5, math.nan))
    failure = Verdict(gate="runs", outcome=Outcome.FAIL, message="it crashed", numbers={"steps": 3.0})
    replicate = Replicate(
        blocks=(block,), failures={"compile": failure}, memory={"kept": Memory(rss=5)}, optimizers=("Adam",)
    )
    measured = MeasuredUnit(replicates=(replicate,), clock=Clock.CPU, busy=0.7, memory_note="one after another")
    found = MeasuredUnit.from_json(measured.to_json())
    assert math.isnan(found.replicates[0].blocks[0].losses[1])
    assert repr(found) == repr(measured)


def test_a_machine_describes_itself(cpu_machine):
    here = MachineDescription(environment=cpu_machine, program="abc")
    assert MachineDescription.from_json(here.to_json()) == here


def test_text_that_no_machine_wrote_is_refused():
    with pytest.raises(ValueError, match="replicates"):
        MeasuredUnit.from_json('{"replicates": "none"}')


def test_the_digest_is_that_of_the_file_that_runs(program, tmp_path):
    (tmp_path / "job.py").write_text("build = None\n")
    digest = program_digest(Recipe(target="job.py:build", folder=tmp_path))
    assert len(digest) == len(program_digest(program("mlp"))) == 64
    assert digest != program_digest(program("mlp"))
    assert program_digest(Recipe(target="convnet", folder=tmp_path)) == ""
