"""Arms that memory does not hold together are measured in several replicates, or one after another."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hotloop.compare.replicate import Pace, Setup
from hotloop.compare.series import ReplicateSeries
from hotloop.machine.memory import FreeMemory
from hotloop.measurement import Block, Clock, Memory
from hotloop.transform import Plan
from hotloop.worker.admission import Admission
from hotloop.worker.process import Settings
from hotloop.workload import Script

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
MIB = 2**20
ARMS = {"baseline": Plan(), "again": Plan(), "fused": Plan.from_data([{"name": "fused_optimizer"}])}


def series_of(folder: Path, *, free: int, taken: int, script: Path = SCRIPTS / "exits.py") -> ReplicateSeries:
    """A series on a machine with `free` MiB, where a worker is known to take `taken` MiB (0: nothing is known)."""
    (folder / "home").mkdir()
    admission = Admission(lambda: FreeMemory(host=free * MIB))
    if taken:
        admission.learn(Memory(rss=taken * MIB), with_device=False)
    settings = Settings(folder=folder / "session", variables={"OMP_NUM_THREADS": "1"}, admission=admission)
    workload = Script(path=script, folder=folder / "home")
    setup = Setup(workload=workload, settings=settings, baseline="baseline", order=random.Random(0))
    return ReplicateSeries(setup, ARMS, clock=Clock.WALL)


@contextmanager
def most_alive() -> Iterator[list[int]]:
    """How many workers of ours were alive at once, and what all took together in MiB; both at their peak."""
    seen, is_over = [0, 0], threading.Event()

    def look() -> None:
        while not is_over.is_set():
            workers = [child for child in psutil.Process().children(recursive=True) if is_worker(child)]
            seen[0] = max(seen[0], len(workers))
            seen[1] = max(seen[1], sum(map(rss_of, workers)) // MIB)
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def is_worker(process: psutil.Process) -> bool:
    try:
        return "hotloop.worker.main" in process.cmdline() and "-I" not in process.cmdline()
    except psutil.Error:
        return False


def rss_of(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def test_where_two_fit_each_replicate_has_the_baseline_and_one_other(tmp_path: Path) -> None:
    series = series_of(tmp_path, free=1700, taken=600)
    with most_alive() as seen:
        series.measure(Pace(rounds=4))
    assert [set(one.memory) for one in series.replicates] == [{"baseline", "again"}, {"baseline", "fused"}]
    assert seen[0] == 2
    assert "2 arms were alive at once" in series.memory_note
    assert series.comparison("fused").replicates == 1


def test_where_two_do_not_fit_they_run_one_after_another(tmp_path: Path) -> None:
    series = series_of(tmp_path, free=1700, taken=1000)
    with most_alive() as seen:
        series.measure(Pace(rounds=4))
    (replicate,) = series.replicates
    assert set(replicate.memory) == {"baseline", "again", "fused"}
    assert len({len(replicate.rounds(arm)) for arm in ARMS}) == 1
    assert seen[0] == 1
    assert "one after another" in series.memory_note
    assert series.estimates("fused")


def test_stretches_are_started_one_after_another_where_not_all_fit(tmp_path: Path) -> None:
    series = series_of(tmp_path, free=1700, taken=800)
    with most_alive() as seen:
        found = series.measure_alone(0.2)
    assert set(found.arms) == set(ARMS)
    assert seen[0] == 1


def test_a_series_keeps_the_blocks_of_all_its_replicates(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    kept: list[Block] = []
    setup = Setup(
        workload=Script(path=SCRIPTS / "exits.py", folder=tmp_path / "home"),
        settings=Settings(folder=tmp_path / "session", variables={"OMP_NUM_THREADS": "1"}),
        baseline="baseline",
        order=random.Random(0),
        keep=kept.append,
    )
    alone, together = (ReplicateSeries(setup, ARMS, clock=Clock.WALL) for _ in range(2))
    found = alone.measure_alone(0.2, then=Pace(rounds=4))
    assert found.lockstep is not None
    together.add(found.lockstep)
    assert tuple(kept[-len(found.lockstep.blocks) :]) == found.lockstep.blocks
    assert together.comparison("fused").replicates == alone.alone("fused").replicates == 1
    assert len(kept) == len(found.lockstep.blocks) + len(ARMS)


def test_the_first_process_says_what_one_takes(tmp_path: Path) -> None:
    series = series_of(tmp_path, free=100_000, taken=0)
    series.measure(Pace(rounds=4))
    assert series.at_once > 3
    assert series.memory_note == ""
    assert len(series.replicates) == 1


HUNGRY = """
import torch
held = torch.ones(150 * 2**20 // 4 * 4)  # 600 MiB
model = torch.nn.Linear(64, 64)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(4000):
    optimizer.zero_grad()
    model(torch.randn(64, 64)).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.slow
def test_a_program_that_takes_a_third_of_the_memory_never_takes_more_than_there_is(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(HUNGRY)
    series = series_of(tmp_path, free=2700, taken=0, script=script)
    with most_alive() as seen:
        series.measure_alone(0.5)
        series.measure(Pace(rounds=4))
    assert 1 < series.at_once < 3
    assert seen[0] == 2
    assert 900 < seen[1] < 2700 * 0.8
