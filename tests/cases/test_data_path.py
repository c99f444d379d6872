"""The gates on programs whose data are fetched another way: what is the same goes through, what is not is refused."""

from pathlib import Path

import pytest

from hotloop.errors import WorkloadCrashed
from hotloop.transform import Plan
from hotloop.verdict import Outcome, worst
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import parse_workload

pytestmark = pytest.mark.usefixtures("forked")

BATCHED, CACHED = {"name": "batched_fetch"}, {"name": "cached_samples"}
STEPS = 40  # two epochs and a half of both loaders


@pytest.fixture
def gate(tmp_path_factory):
    def make(*call):
        workload = parse_workload(call[0], call[1:], folder=Path(__file__).parent)
        return DriftGate(workload, Settings(folder=tmp_path_factory.mktemp("session")), steps=STEPS)

    return make


@pytest.mark.parametrize(
    ("call", "tables", "words"),
    [
        (("loaded.py", "0"), [BATCHED], "batched_fetch on 1 of 2 loaders (1: Decoded.__getitem__ does more"),
        # A worker of it ended without a word once in some thirty runs beside other tests.
        pytest.param(("loaded.py", "2"), [CACHED], "cached_samples on 2 of 2 loaders: ", marks=pytest.mark.slow),
        (("loaded.py", "0"), [CACHED, BATCHED], "batched_fetch on 1 of 2"),
    ],
)
def test_the_same_data_pass_and_the_verdict_says_what_was_reached(call, tables, words, gate):
    result = gate(*call).check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert words in result.verdicts[0].message


def check_left_alone(result, words):
    """No batch came another way: it trains as before, and the gates have looked at nothing of the plan."""
    step, drift = result.verdicts
    assert step.outcome is Outcome.INCONCLUSIVE
    assert step.message.startswith("nothing of the plan acted in the steps that were watched: ")
    assert words in step.message
    assert drift.passed
    assert drift.numbers["late_rms"] == 0.0


def test_random_augmentation_is_left_alone_and_trains_as_before(gate):
    check_left_alone(gate("augment.py", "0", "changes").check(Plan.from_data([CACHED])), "draw random numbers")


def test_a_loader_that_changes_is_left_alone_and_the_other_acts(gate):
    result = gate("loaded.py", "0", "changes").check(Plan.from_data([CACHED]))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert "attribute scale" in result.verdicts[0].message


def test_old_samples_that_no_attribute_shows_fail_the_plan(gate):
    with pytest.raises(WorkloadCrashed, match="cached_samples: it is no longer what was kept"):
        gate("loaded.py", "0", "hidden").check(Plan.from_data([CACHED]))


RESIDENT, THREAD = {"name": "resident_data", "device": "cpu"}, {"name": "prefetch_thread"}


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([RESIDENT], "resident_data on 1 of 2 loaders (1: Decoded.__getitem__ does more"),
        ([THREAD], "prefetch_thread on 2 of 2 loaders: "),
        ([THREAD, BATCHED], "batches fetched by a thread"),
    ],
)
def test_what_is_fetched_ahead_or_kept_on_a_device_passes(tables, words, gate):
    result = gate("loaded.py", "0").check(Plan.from_data(tables))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert words in result.verdicts[0].message


def test_a_thread_leaves_augmentation_alone(gate):
    check_left_alone(gate("augment.py", "0").check(Plan.from_data([THREAD])), "draw random numbers")


def test_a_thread_sees_what_changes_between_epochs(gate):
    result = gate("loaded.py", "0", "changes").check(Plan.from_data([THREAD]))
    assert worst(result.verdicts) is Outcome.PASS, [verdict.message for verdict in result.verdicts]
    assert "prefetch_thread on 2 of 2 loaders: " in result.verdicts[0].message
