"""Everything of a worker stands still while others have their turn, sessions of their own included."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hotloop.worker.freezer import SignalFreezer, make_cgroup_freezer

# A parent whose child leaves its session, as a daemon does; both count into a file of their own.
COUNTING = """
import os, sys, time
name = "child" if os.fork() == 0 else "parent"
if name == "child":
    os.setsid()
while True:
    with open(os.path.join(sys.argv[1], name), "a") as file:
        file.write("x")
    time.sleep(0.002)
"""


def sizes(folder: Path) -> list[int]:
    return [(folder / name).stat().st_size for name in ("parent", "child")]


@pytest.fixture
def counting(tmp_path):
    started = []

    def start(enter=None):
        call = [sys.executable, "-c", COUNTING, str(tmp_path)]
        process = subprocess.Popen(call, preexec_fn=enter)  # noqa: PLW1509
        started.append(process)
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return process

    yield start
    for process in started:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (process.pid, *map(int, children)):
            os.kill(pid, 9)
        process.wait()


def stands_still_and_goes_on(freezer, folder: Path) -> None:
    freezer.freeze()
    before = sizes(folder)
    time.sleep(0.1)
    assert sizes(folder) == before
    freezer.thaw()
    deadline = time.monotonic() + 10
    while not all(now > then for now, then in zip(sizes(folder), before, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_signals_reach_a_child_that_left_its_session(counting, tmp_path):
    counting()
    stands_still_and_goes_on(SignalFreezer(os.getpid()), tmp_path)


@pytest.fixture
def cgroup():
    freezer = make_cgroup_freezer()
    if freezer is None:
        pytest.skip("no cgroup freezer may be written here")
    yield freezer
    freezer.close()


def test_a_cgroup_reaches_a_child_that_left_its_session(cgroup, counting, tmp_path):
    counting(lambda: cgroup.procs.write_text(str(os.getpid())))
    stands_still_and_goes_on(cgroup, tmp_path)


def test_where_no_freezer_may_be_written_there_is_none(tmp_path):
    assert make_cgroup_freezer(root=tmp_path) is None
