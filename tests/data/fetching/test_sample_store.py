"""Kept samples: bounded, shared with forked processes, and in a file that has no name."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
import torch

from hotloop.data.fetching.sample_codec import encode
from hotloop.data.fetching.sample_store import SampleArena, SampleStore
from hotloop.errors import NotApplicable


def test_a_forked_process_reads_what_another_has_kept():
    store = SampleStore(SampleArena(memory=4096, file=0), 3)
    child = os.fork()
    if not child:
        store.keep(1, *encode(torch.arange(5)))
        os._exit(0)
    os.waitpid(child, 0)
    zero, place, other = store.places([0, 1, 2])
    assert (zero, other, store.num_kept) == (0, 0, 1)
    assert store.sample(place).tolist() == list(range(5))


def test_memory_is_filled_first_then_the_file_then_nothing_more_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arena = SampleArena(memory=2048, file=1024)
    store = SampleStore(arena, 5)
    store.keep(0, *encode(torch.zeros(200)))
    store.keep(1, *encode(torch.zeros(200)))
    store.keep(2, *encode(torch.ones(200)))
    assert (0 < arena.used[0] <= 2048, 800 < arena.used[1] <= 1024) == (True, True)
    with pytest.raises(NotApplicable, match="do not fit"):
        store.keep(3, *encode(torch.zeros(200)))
    (place,) = store.places([2])
    assert store.sample(place).sum() == 200
    assert store.places([3]) == [0]
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused_with_the_figures():
    store = SampleStore(SampleArena(memory=4096, file=0), 5)
    with pytest.raises(NotApplicable, match="do not fit: 5 of them"):
        store.keep(0, *encode(torch.zeros(2000)))
    store.keep(0, *encode(torch.zeros(500)))
    with pytest.raises(NotApplicable, match="do not fit"):
        store.check_size()


def test_a_lock_that_a_process_took_with_it_is_told(monkeypatch):
    monkeypatch.setattr("hotloop.data.fetching.sample_store.WAIT", 0.01)
    arena = SampleArena(memory=64, file=0)
    child = os.fork()
    if not child:
        arena.lock.acquire()
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(NotApplicable, match="has ended while it kept a sample"):
        SampleStore(arena, 1).places([0])


def test_a_killed_process_leaves_no_file_behind(tmp_path):
    code = (
        "import os, signal, torch\n"
        "from hotloop.data.fetching.sample_store import SampleArena, SampleStore\n"
        "from hotloop.data.fetching.sample_codec import encode\n"
        "store = SampleStore(SampleArena(memory=0, file=2**20), 9)\n"
        "store.keep(0, *encode(torch.zeros(9)))\n"
        "assert store.sample(store.places([0])[0]).shape == (9,)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_was_writing_when_it_was_killed_is_not_announced(monkeypatch):
    store = SampleStore(SampleArena(memory=0, file=2**20), 3)
    child = os.fork()
    if not child:
        write = os.pwrite

        def die_half_way(descriptor, data, begin):
            write(descriptor, data[: len(data) // 2], begin)
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(os, "pwrite", die_half_way)
        store.keep(1, *encode(torch.arange(5000)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (store.places([0, 1, 2]), store.num_kept) == ([0, 0, 0], 0)
    store.keep(1, *encode(torch.arange(5000)))
    assert torch.equal(store.sample(store.places([1])[0]), torch.arange(5000))


@pytest.mark.parametrize(("memory", "file"), [(2**24, 0), (0, 2**24)])
def test_processes_that_are_killed_at_any_moment_leave_whole_samples_or_none(memory, file, monkeypatch):
    monkeypatch.setattr("hotloop.data.fetching.sample_store.WAIT", 0.05)
    arena = SampleArena(memory=memory, file=file)
    moments = random.Random(0)
    for _ in range(20):
        store = SampleStore(arena, 300)
        child = os.fork()
        if not child:
            for row in range(300):
                store.keep(row, *encode(torch.full((300,), row)))
            os._exit(0)
        threading.Event().wait(moments.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            places = store.places(range(300))
        except NotApplicable:  # it had the lock: nothing of what it kept is read any more
            arena = SampleArena(memory=memory, file=file)
            continue
        assert all(store.sample(place).eq(row).all() for row, place in enumerate(places) if place)
