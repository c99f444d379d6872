"""Loaders' worker processes that are profiled, in this process."""

import signal
import time

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from hotloop.diagnose.loader_workers import LoaderWorkers


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


def test_a_stream_is_followed_too_and_its_loader_is_left_as_it_was(context):
    workers = LoaderWorkers(context)
    loader = DataLoader(Stream(), batch_size=2, num_workers=1, worker_init_fn=release)
    with workers.installed(), workers.profiling():
        batches = list(loader)
    assert len(batches) == 4
    assert loader.worker_init_fn is release
    totals = workers.totals()
    assert totals.fetches >= 4
    assert {at.path for at, _ in totals.lines} & {__file__}


def test_a_worker_that_nobody_profiles_leaves_nothing(context):
    workers = LoaderWorkers(context)
    with workers.installed():
        list(DataLoader(Stream(), batch_size=2, num_workers=1))
    assert workers.totals().processes == 0


def test_an_error_in_a_worker_is_still_the_program_s_own(context):
    with LoaderWorkers(context).installed(), pytest.raises(ValueError, match="no such file"):
        list(DataLoader(Broken(), num_workers=1))
