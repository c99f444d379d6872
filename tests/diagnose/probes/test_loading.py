"""The profile of loading where loader workers do it."""

import signal
import time

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from hotloop.diagnose.loader_workers import Workers
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from ..conftest import PROGRAMS, marked

WORKERS = PROGRAMS / "workers.py"
WAYS = [("--context", "fork"), ("--context", "spawn", "--persistent")]


@pytest.fixture(params=WAYS, ids=["fork", "spawn"])
def diagnosis(diagnosed, request):
    return diagnosed(WORKERS, *request.param)


@pytest.mark.parametrize("code", ["DA03", "DA05", "DA12"])
def test_a_fault_in_a_worker_is_found_at_its_line(diagnosis, code):
    (line,) = marked(WORKERS, code)
    first, *_ = [f for f in diagnosis.findings if f.code == code]
    assert (first.path, first.line) == (str(WORKERS), line)


def test_the_line_that_sleeps_is_most_of_the_loading_and_wins_at_most_the_wait(diagnosis):
    first = max((f for f in diagnosis.findings if f.code == "DA03"), key=lambda f: f.share)
    assert first.evidence["share_of_loading"] > 0.5
    assert 0 < first.share <= diagnosis.phases["data_wait"]["share"]


def test_workers_say_how_busy_they_were_and_what_their_caches_answered(diagnosis):
    seen = diagnosis.seen["loading"]
    assert 0 < seen["workers"]["busy"] <= 1
    assert seen["workers"]["fetches"] > 0
    assert seen["hit_rates"]["label"] < 0.5
    assert diagnosis.seen["unused"]["prefetched"] > 0


@pytest.mark.parametrize("arguments", WAYS, ids=["fork", "spawn"])
def test_workers_draw_the_same_random_numbers_and_call_the_program_s_own_start(diagnosed, arguments, tmp_path):
    spied = diagnosed(WORKERS, *arguments).losses
    workload = parse_workload(WORKERS.name, arguments, folder=WORKERS.parent)
    with Worker(workload, Plan(), Settings(folder=tmp_path)) as worker:
        worker.open_gate()
        assert list(spied) == worker.turn(len(spied))["losses"]
    assert len(spied) > 60  # so that the profile has been at work


def release(_worker):
    """Give back the signal that the test runner's own clock has taken."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


class Stream(IterableDataset):
    def __iter__(self):
        for _ in range(8):
            time.sleep(0.01)
            yield torch.ones(2)


class Broken(Stream):
    def __iter__(self):
        raise ValueError("no such file")


def test_a_stream_is_followed_too_and_its_loader_is_left_as_it_was(scene):
    workers = Workers(scene)
    loader = DataLoader(Stream(), batch_size=2, num_workers=1, worker_init_fn=release)
    with workers.installed():
        workers.open()
        batches = list(loader)
        workers.close()
    assert len(batches) == 4
    assert loader.worker_init_fn is release
    seen = workers.seen()
    assert seen.fetches >= 4
    assert {place.path for place, _ in seen.lines} & {__file__}


def test_a_worker_that_nobody_looks_at_leaves_nothing(scene):
    workers = Workers(scene)
    with workers.installed():
        list(DataLoader(Stream(), batch_size=2, num_workers=1))
    assert workers.seen().processes == 0


def test_an_error_in_a_worker_is_still_the_program_s_own(scene):
    with Workers(scene).installed(), pytest.raises(ValueError, match="no such file"):
        list(DataLoader(Broken(), num_workers=1))
