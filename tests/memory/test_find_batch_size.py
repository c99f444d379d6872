"""Sizes are tried in processes of their own: memory that ends there leaves nothing behind here."""

import json
from pathlib import Path

import psutil
import pytest

from hotloop.errors import NotApplicable, WorkloadCrashed, WorkloadError
from hotloop.memory.find_batch_size import find_batch_size, is_end_of_memory, try_batch_sizes
from hotloop.workload import parse_workload

HERE = Path(__file__).parent
MIB = 2**20


def recipe(function: str):
    return parse_workload(f"batches.py:{function}", folder=HERE)


@pytest.fixture
def no_more_processes():
    """What a test started is gone after it, and with it the memory that it had."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    rss = psutil.Process().memory_info().rss
    yield
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before
    assert psutil.Process().memory_info().rss - rss < 64 * MIB


@pytest.mark.slow  # every size that does not fit is a process more
@pytest.mark.usefixtures("no_more_processes")
def test_memory_that_ends_is_survived_and_bounds_the_answer():
    found = find_batch_size(recipe("wide"), memory=300 * MIB, with_largest=True)
    assert 64 in found.too_large
    assert found.fastest < min(found.too_large)
    assert found.is_bound
    assert found.fastest <= found.largest < 64
    assert found.blocks <= found.blocks_of_a_sweep / 3


def test_a_batch_that_memory_holds_is_measured_whole():
    found = find_batch_size(recipe("build"), memory=2048 * MIB)
    assert found.global_batch == 64
    assert found.too_large == ()
    assert {64, 32, found.fastest} <= set(found.seconds)
    assert json.loads(json.dumps(found.to_data()))["microbatches"] == found.microbatches


def test_a_recipe_that_mixes_samples_is_refused_with_the_reason():
    assert "module 2 is a batch norm in train mode" in try_batch_sizes(recipe("normalized"))["not_searched"]


def test_a_script_is_not_searched_and_the_reason_is_told():
    script = parse_workload("sized.py", ("64",), folder=HERE)
    with pytest.raises(WorkloadError, match="a script makes its batches itself"):
        find_batch_size(script)
    assert "a script makes its batches itself" in try_batch_sizes(script)["not_searched"]


@pytest.mark.slow
def test_what_not_even_one_sample_fits_into_is_told():
    with pytest.raises(NotApplicable, match="not even one sample"):
        find_batch_size(recipe("wide"), memory=2 * MIB)


@pytest.mark.parametrize(
    ("kind", "last", "is_end"),
    [
        ("OutOfMemory", "", True),
        ("status -6", "terminate called after throwing std::bad_alloc", True),
        ("status 1", "\nlibgomp: Thread creation failed: Resource temporarily unavailable", True),
        ("status 1", "Traceback", False),
    ],
)
def test_an_end_for_want_of_memory_is_told_from_other_ends(kind, last, is_end):
    crash = WorkloadCrashed("it died", kind=kind, traceback=last)
    assert is_end_of_memory(crash) is is_end
