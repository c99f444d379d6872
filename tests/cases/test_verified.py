"""The gates on programs in the shape of what people report: sound plans go through, planted faults are refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.verify.forked import forked_workers
from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.usefixtures("planted")

NOTHING = {"name": "nothing"}
FUSED = {"name": "fused_optimizer"}
AUTOCAST = {"name": "autocast"}
EAGER_GRAPH = {"name": "compile", "backend": "aot_eager"}
USUAL = ("usual.py", "--n", "640", "--wd", "0.1")
NEVER_CLIPPED = ("usual.py", "--n", "640", "--clip", "1e9")
BY_EPOCH = ("usual.py", "--n", "650", "--epochs", "2", "--sched", "step")

SOUND = [
    (("gan.py",), 12, FUSED),
    (("raw_tensors.py",), 12, FUSED),
    (("ema.py",), 22, FUSED),
    (("lazy.py",), 12, FUSED),
    (("ctc_inf.py", "3"), 12, FUSED),
    (("own_entropy.py",), 12, NOTHING),
    (BY_EPOCH, 30, FUSED),
]
MORE_SOUND = [
    (("complex.py",), 12, NOTHING),
    (("lazy.py",), 12, AUTOCAST),
    (("kfold.py",), 90, AUTOCAST),
    (("init_after_call.py",), 12, AUTOCAST),
    (("checkpointing.py",), 12, EAGER_GRAPH),
    (("checkpointing_stochastic_depth.py",), 12, NOTHING),
    (USUAL, 24, AUTOCAST),
]
FAULTS = [
    (("gan.py",), 12, [{"name": "scale_second_optimizer"}], "gradients off by"),
    (("raw_tensors.py",), 12, [{"name": "scale_loss"}], "gradients off by"),
    (("ctc_inf.py", "3"), 12, [{"name": "scale_loss"}], "gradients off by"),
    (("own_entropy.py",), 12, [{"name": "dropout_off", "how": "function"}], "dropout no longer drops"),
    (("own_entropy.py",), 12, [{"name": "other_setting", "how": "learning_rate_doubled"}], "lr of optimizer 0"),
    (BY_EPOCH, 30, [{"name": "other_setting"}], "weight_decay of optimizer 0, group 0 is 0 in place of 0.01 in step 1"),
    (BY_EPOCH, 30, [{"name": "other_setting", "how": "schedule"}], "lr of optimizer 0, group 0 is 0.001 in place of"),
    (BY_EPOCH, 30, [{"name": "other_setting", "how": "learning_rate"}, AUTOCAST], "lr of optimizer 0, group 0"),
    (NEVER_CLIPPED, 8, [{"name": "other_clipping"}], "to a norm of 1e+10 in place of a norm of 1e+09 in step 1"),
    (NEVER_CLIPPED, 8, [{"name": "other_clipping", "how": "none"}, AUTOCAST], "clipped 0 times in step 1 in place of"),
    (BY_EPOCH, 30, [{"name": "freeze_batchnorm", "how": "slow"}], "momentum of module 0.1 is 0.001 in place of 0.1"),
    (BY_EPOCH, 30, [{"name": "break_off", "steps": 11}], "it ends after 11 steps in place of 22"),
    (BY_EPOCH, 30, [{"name": "break_off", "how": "backward"}], "step 9 has 0 backward passes in place of 1"),
    (BY_EPOCH, 30, [{"name": "break_off", "how": "nan"}], "the loss of step 9 is not finite"),
    (BY_EPOCH, 30, [{"name": "other_samples"}], "pass 1 over a loader has 10 batches in place of 11"),
    (BY_EPOCH, 30, [{"name": "other_samples", "how": "frozen_order"}], "order"),
]
MORE_FAULTS = [
    (("complex.py",), 12, [{"name": "scale_loss", "factor": 3.0}], "gradients off by"),
    (("kfold.py",), 12, [{"name": "scale_loss"}], "gradients off by"),
    (("ema.py",), 22, [{"name": "other_setting"}, AUTOCAST], "weight_decay of optimizer 0"),
    (("checkpointing.py",), 12, [{"name": "scale_gradients"}], "scale off by"),
    (USUAL, 24, [{"name": "other_setting"}, AUTOCAST], "weight_decay of optimizer 0"),
    (USUAL, 24, [{"name": "freeze_batchnorm", "how": "slow"}, AUTOCAST], "momentum of module 0.1"),
    (USUAL, 24, [{"name": "other_setting", "how": "schedule"}, AUTOCAST], "lr of optimizer 0"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """How workers are started."""
    return Settings(folder=tmp_path_factory.mktemp("session"))


@pytest.fixture(scope="module")
def gate(settings):
    """The gate of a program over some steps, whose plain runs are shared by the tests of this file."""
    return gates_of_programs(settings)


@pytest.fixture(scope="module")
def gate_of_forked(settings):
    return gates_of_programs(settings)


@pytest.fixture
def forked_gate(gate_of_forked):
    """The same, of runs in processes that are forked: what they import takes twenty times as long as the run."""
    with forked_workers():
        yield gate_of_forked


def gates_of_programs(settings):
    kept = {}

    def find(program, steps):
        name, *arguments = program
        if (program, steps) not in kept:
            workload = parse_workload(name, tuple(arguments), folder=Path(__file__).parent)
            kept[program, steps] = DriftGate(workload, settings, steps=steps)
            kept[program, steps].prepare()
        return kept[program, steps]

    return find


def check_accepted(gate, tables):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    return result


def check_refused(gate, tables, words):
    result = gate.check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.FAIL
    assert words in "; ".join(verdict.message for verdict in result.verdicts if not verdict.passed)


@pytest.mark.parametrize(("program", "steps", "table"), SOUND)
def test_a_sound_plan_goes_through(gate, program, steps, table):
    check_accepted(gate(program, steps), [table])


@pytest.mark.slow
@pytest.mark.parametrize(("program", "steps", "table"), MORE_SOUND)
def test_a_sound_plan_goes_through_on_more_programs(gate, program, steps, table):
    check_accepted(gate(program, steps), [table])


@pytest.mark.parametrize(("program", "steps", "tables", "words"), FAULTS)
def test_a_planted_fault_is_refused_by_name(forked_gate, program, steps, tables, words):
    check_refused(forked_gate(program, steps), tables, words)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "steps", "tables", "words"), MORE_FAULTS)
def test_a_planted_fault_is_refused_by_name_on_more_programs(forked_gate, program, steps, tables, words):
    check_refused(forked_gate(program, steps), tables, words)


def test_a_verdict_says_what_was_seen_and_what_was_not_reached(gate):
    result = check_accepted(gate(BY_EPOCH, 30), [NOTHING])
    message = result.verdicts[0].message
    assert "seen: 22 steps, 1 optimizer, 10 tensors, 2 ends of epochs" in message
    assert "2 scheduler steps" in message
    assert "not reached: checkpoint; the plan acts: nothing on 2 of 2 models" in message


@pytest.mark.slow
def test_augmentation_in_workers_is_judged_as_other_draws_of_the_same_law(gate):
    result = gate(("augment.py",), 30).check(Plan.from_data([{"name": "data_loading", "workers": 2}]))
    assert worst(result.verdicts) is not Outcome.FAIL, [verdict.message for verdict in result.verdicts]
    assert any("other random numbers of the same law" in note for note in result.notes)


@pytest.mark.slow
def test_moments_that_land_on_other_elements_are_refused_after_a_resume(tmp_path, settings):
    shutil.copy(Path(__file__).with_name("resume_layout.py"), tmp_path)
    subprocess.run([sys.executable, "resume_layout.py", "20", "save"], cwd=tmp_path, check=True, capture_output=True)
    gate = DriftGate(parse_workload("resume_layout.py", ("30",), folder=tmp_path), settings, steps=12)
    gate.prepare()
    check_refused(gate, [{"name": "misplaced_moments"}], "placement off by")
    check_accepted(gate, [FUSED])
