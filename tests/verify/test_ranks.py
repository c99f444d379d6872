"""The gates look at every rank of a program."""

from dataclasses import replace

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings


@pytest.fixture
def gate(program, planted, tmp_path):
    return DriftGate(replace(program("ddp"), num_ranks=2), Settings(folder=tmp_path / "session"), steps=8)


@pytest.mark.slow
def test_a_fault_in_one_rank_is_refused_by_its_name_and_sound_plans_pass(gate) -> None:
    refused = gate.check(Plan.from_data([{"name": "other_rank"}]))
    assert worst(refused.verdicts) is Outcome.FAIL
    assert "of rank 1" in refused.verdicts[0].message
    sound = gate.check(Plan.from_data([{"name": "fused_optimizer"}, {"name": "ddp_settings"}]))
    assert worst(sound.verdicts) is Outcome.PASS
    assert "2 optimizers" in sound.verdicts[0].message
