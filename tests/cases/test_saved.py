"""What a program saves is compared: copies that nobody calls, keys, numbers, and how everything ends."""

from pathlib import Path

import pytest

from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.usefixtures("planted", "forked")

FUSED, AUTOCAST = {"name": "fused_optimizer"}, {"name": "autocast"}
OTHER = {"name": "other_saves"}


@pytest.fixture(scope="module")
def make_gate(tmp_path_factory):
    """The gate of the program that saves, with these arguments."""
    settings = Settings(folder=tmp_path_factory.mktemp("session"))

    def make(*arguments):
        gate = DriftGate(parse_workload("saving.py", arguments, folder=Path(__file__).parent), settings, steps=12)
        gate.prepare()
        return gate

    return make


@pytest.fixture(scope="module")
def gate(make_gate):
    """That of eight steps, after which the program ends by itself."""
    return make_gate("8")


def told(result):
    return "; ".join(verdict.message for verdict in result.verdicts)


@pytest.mark.parametrize("tables", [[FUSED], [AUTOCAST]], ids=["fused", "autocast"])
def test_a_sound_plan_saves_what_the_plain_program_does(gate, tables):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.PASS, told(result)
    assert "2 checkpoints" in told(result)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([OTHER], "save 1, after step 4: 'ema weight since the start' is off by"),
        ([OTHER, AUTOCAST], "'ema weight since the start' is off by 1.0e+00"),
        ([{**OTHER, "how": "missing_key"}], "save 1, after step 4, lacks ['opt']"),
        ([{**OTHER, "how": "half"}], "['exp_avg'] as float16 (128, 16) in place of float32 (128, 16)"),
    ],
)
def test_what_is_saved_wrongly_is_refused_by_name(gate, tables, words):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.FAIL
    assert words in told(result)


def test_what_nobody_can_look_into_is_named(make_gate):
    result = make_gate("8", "record").check(Plan.from_data([FUSED]))
    assert worst(result.verdicts) is Outcome.INCONCLUSIVE
    assert "['record'] of save 1, after step 4, cannot be compared: __main__.Record; for the rest:" in told(result)
