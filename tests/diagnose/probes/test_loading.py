"""The profile of the loading, in the program's own process and where loader workers do it."""

import pytest

from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import parse_workload

from ..conftest import PROGRAMS, marked

COSTS = PROGRAMS / "costs.py"
WORKERS = PROGRAMS / "workers.py"
WAYS = [("--context", "fork"), ("--context", "spawn", "--persistent")]


@pytest.fixture(params=WAYS, ids=["fork", "spawn"])
def diagnosis(diagnosed, request):
    return diagnosed(WORKERS, *request.param)


@pytest.mark.parametrize("code", ["DA03", "DA05"])
def test_faults_of_loading_are_found_at_their_lines(diagnosed, code):
    (line,) = marked(COSTS, code)
    first, *_ = [f for f in diagnosed(COSTS).findings if f.code == code]
    assert (first.path, first.line) == (str(COSTS), line)


def test_a_cache_smaller_than_the_data_set_is_told_with_its_hit_rate(diagnosed):
    assert diagnosed(COSTS).seen["loading"]["hit_rates"]["label"] < 0.5


@pytest.mark.parametrize("code", ["DA03", "DA05"])
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
    probed = diagnosed(WORKERS, *arguments).losses
    workload = parse_workload(WORKERS.name, arguments, folder=WORKERS.parent)
    with Worker(workload, Plan(), Settings(folder=tmp_path)) as worker:
        worker.wait_at_barrier()
        assert list(probed) == list(worker.turn(len(probed)).losses)
    assert len(probed) > 60  # so that the profile has been at work
