"""The gates look at every rank of a program."""

from dataclasses import replace

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings


@pytest.fixture
def gate_of(program, planted, tmp_path):
    """The gate of a program of two ranks."""
    settings = Settings(folder=tmp_path / "session")
    return lambda name: DriftGate(replace(program(name), num_ranks=2), settings, steps=8)


@pytest.mark.slow
def test_a_fault_in_one_rank_is_refused_by_its_name_and_sound_plans_pass(gate_of) -> None:
    gate = gate_of("ddp")
    refused = gate.check(Plan.from_data([{"name": "other_rank"}]))
    assert worst(refused.verdicts) is Outcome.FAIL
    assert "of rank 1" in refused.verdicts[0].message
    sound = gate.check(Plan.from_data([{"name": "fused_optimizer"}, {"name": "ddp_settings"}]))
    assert worst(sound.verdicts) is Outcome.PASS
    assert "2 optimizers" in sound.verdicts[0].message


@pytest.mark.slow
def test_a_program_that_fsdp_shards_is_judged_by_the_parts_of_each_rank(gate_of) -> None:
    gate = gate_of("fsdp")
    sound = gate.check(Plan.from_data([{"name": "fused_optimizer"}]))
    assert worst(sound.verdicts) is Outcome.PASS, sound.verdicts
    assert "2 optimizers" in sound.verdicts[0].message
    refused = gate.check(Plan.from_data([{"name": "other_rank"}]))
    assert worst(refused.verdicts) is Outcome.FAIL
    assert "of rank 1" in refused.verdicts[0].message
