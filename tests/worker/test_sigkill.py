"""SIGKILL of the parent or of a worker at random moments: nothing is left running, damaged or changed."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from hotloop.records.history import open_history

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
PROGRAM = "eval_checkpoint.py"
WORKER = [b"-m", b"hotloop.worker.main"]
MARK = "HOTLOOP_TEST_SESSION"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A session of `hotloop prove`, and all processes that carry its mark in their environment."""

    parent: subprocess.Popen[bytes]
    mark: str

    def processes(self) -> list[int]:
        """All that still run, the parent too."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_ours(pid)]

    def workers(self) -> list[int]:
        """Worker processes alone, without their wardens (whose command line ends with the worker's)."""
        return [pid for pid in self.processes() if read(pid, "cmdline").split(b"\0")[2:4] == WORKER]

    def wardens(self) -> list[int]:
        """The processes that watch over one worker each."""
        return [pid for pid in self.processes() if b"/warden.py\0" in read(pid, "cmdline")]

    def remaining(self, seconds: float) -> list[int]:
        """What still runs after waiting that long for the end of all."""
        deadline = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def _is_ours(self, pid: int) -> bool:
        return f"{MARK}={self.mark}".encode() in read(pid, "environ").split(b"\0")


Kill = Callable[[Running, random.Random], None]


def read(pid: int, name: str) -> bytes:
    with suppress(OSError):  # it has ended meanwhile, or is somebody else's
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def tree(folder: Path) -> dict[str, str]:
    """Digest of each file, by path."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "data").mkdir(parents=True)
    shutil.copy(SCRIPTS / PROGRAM, folder)
    (folder / "plan.toml").write_text('[[transform]]\nname = "fused_optimizer"\n')
    (folder / "data" / "precious.txt").write_text("precious")
    return folder


@pytest.fixture
def session(home: Path, tmp_path: Path) -> Iterator[Running]:
    mark = uuid4().hex
    line = f"prove {PROGRAM} --plan plan.toml --budget 60s --steps 8 --json -- --eval-every 1"
    environment = {"OMP_NUM_THREADS": "1", "HOTLOOP_HISTORY": f"sqlite:///{tmp_path / 'history.db'}", MARK: mark}
    with (
        open(tmp_path / "printed.txt", "wb") as printed,
        subprocess.Popen(
            [sys.executable, "-m", "hotloop.cli.app", *line.split()],
            cwd=home,
            env={**os.environ, **environment},
            stdout=printed,
            stderr=printed,
        ) as parent,
    ):
        running = Running(parent=parent, mark=mark)
        try:
            yield running
        finally:
            for pid in running.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def kill_parent(session: Running, moment: random.Random) -> None:
    time.sleep(moment.uniform(0.3, 6.0))
    session.parent.kill()
    session.parent.wait()


def kill_worker(session: Running, moment: random.Random) -> None:
    """Kill one of the workers; the parent then ends by itself and says what happened."""
    deadline = time.monotonic() + 60
    while not session.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(moment.uniform(0.0, 5.0))
    while not (workers := session.workers()) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(moment.choice(workers), signal.SIGKILL)
    assert session.parent.wait(timeout=120) in (0, 1, 2, 3)


def kill_warden(session: Running, moment: random.Random) -> None:
    """Kill what cleans up after a worker: the kernel then ends the worker, or its parent does."""
    deadline = time.monotonic() + 60
    while not session.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(moment.choice(session.wardens()), signal.SIGKILL)
    assert session.parent.wait(timeout=240) in (0, 1, 2, 3)


KILLS = {"parent": kill_parent, "worker": kill_worker}
FEW = [(victim, seed) for seed in (1, 2) for victim in KILLS]
MANY = [(victim, seed) for seed in range(3, 28) for victim in KILLS]


def check(kill: Kill, seed: int, session: Running, home: Path) -> None:
    before, printed = tree(home), home.parent / "printed.txt"
    kill(session, random.Random(seed))
    assert session.remaining(3.0) == []
    assert tree(home) == before
    assert "bug in hotloop" not in printed.read_text()
    url = f"sqlite:///{home.parent / 'history.db'}"
    with open_history(url) as history:
        for row in history.sessions():
            assert all(block.wall for blocks in history.blocks(row.id).values() for block in blocks)


@pytest.mark.parametrize(("victim", "seed"), FEW)
def test_nothing_is_left_when_a_process_is_killed(victim: str, seed: int, session: Running, home: Path) -> None:
    check(KILLS[victim], seed, session, home)


def test_nothing_is_left_when_a_warden_is_killed(session: Running, home: Path) -> None:
    check(kill_warden, 0, session, home)


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "seed"), MANY)
def test_nothing_is_left_however_often_one_is_killed(victim: str, seed: int, session: Running, home: Path) -> None:
    check(KILLS[victim], seed, session, home)


def test_a_killed_worker_is_told_with_its_signal(session: Running, home: Path) -> None:
    deadline = time.monotonic() + 60
    while not session.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(session.workers()[0], signal.SIGKILL)
    assert session.parent.wait(timeout=120) == 2
    assert "ended by signal SIGKILL" in (home.parent / "printed.txt").read_text()
