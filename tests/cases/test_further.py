"""Verification goes on to the first end of an epoch, evaluation, scheduler step and checkpoint."""

from pathlib import Path

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.usefixtures("planted", "forked")

BY_EPOCH = ("usual.py", "--n", "1910", "--sched", "step")  # 30 batches an epoch


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """The gate of a program whose epoch ends beyond the steps that are asked for."""
    workload = parse_workload(BY_EPOCH[0], BY_EPOCH[1:], folder=Path(__file__).parent)
    gate = DriftGate(workload, Settings(folder=tmp_path_factory.mktemp("session")), steps=8, further_seconds=5.0)
    gate.prepare()
    return gate


def test_a_verdict_says_how_far_it_went_and_what_did_not_come_in_time(gate):
    result = gate.check(Plan.from_data([{"name": "fused_optimizer"}]))
    message = result.verdicts[0].message
    assert worst(result.verdicts) is Outcome.PASS, message
    assert "seen: 31 steps, 1 optimizer, 10 tensors, 1 end of an epoch, " in message
    assert "1 scheduler step; not reached within 5 s of training: checkpoint" in message
    assert message.endswith("the plan acts: fused_optimizer on 1 of 1 optimizer")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "other_setting", "how": "schedule"}, "lr of optimizer 0, group 0 is 0.001 in place of"),
        ({"name": "other_samples"}, "has 29 batches in place of 30"),
        ({"name": "break_off", "steps": 20}, "it ends after 20 steps in place of 31"),
        ({"name": "break_off", "how": "nan", "steps": 25}, "the loss of step 26 is not finite"),
    ],
)
def test_a_fault_beyond_the_steps_that_are_asked_for_is_refused(gate, table, words):
    result = gate.check(Plan.from_data([table]))
    assert worst(result.verdicts) is Outcome.FAIL
    assert words in "; ".join(verdict.message for verdict in result.verdicts)
