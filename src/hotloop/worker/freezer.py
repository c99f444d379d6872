"""Stops a worker and everything that it started while others have their turn.

A signal to a process group misses what a program starts in sessions of its own. The kernel's cgroup freezer stops all
of it at once; where no freezer may be written, every descendant gets a SIGSTOP of its own.
"""

import contextlib
import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

_ROOT = Path("/sys/fs/cgroup")
_LIMIT = 5.0  # seconds; a process that sleeps in the kernel is frozen as soon as it wakes
_numbers = itertools.count()


class Freezer(Protocol):
    """How one worker is stopped; `how` is recorded with what was measured."""

    @property
    def how(self) -> str:
        """The means, in words."""
        ...

    def freeze(self) -> None:
        """Stop everything of the worker; nothing of it runs when this returns."""
        ...

    def thaw(self) -> None:
        """Let it run again."""
        ...

    def close(self) -> None:
        """Take away what was made for it; its processes have ended."""
        ...


@dataclass(frozen=True, kw_only=True)
class CgroupFreezer:
    """A control group that the worker enters before it starts, with all that it starts later.

    `control` is the file that takes `frozen` and `thawed`; `state` reads `confirmed` once all of it has stopped.
    """

    folder: Path
    how: str
    control: Path
    frozen: str
    thawed: str
    state: Path
    confirmed: str

    @property
    def procs(self) -> Path:
        """The file that a process writes its number into to enter."""
        return self.folder / "cgroup.procs"

    def freeze(self) -> None:
        """Stop everything in the group, and wait until it has stopped."""
        with contextlib.suppress(FileNotFoundError):  # it has ended, and its group with it
            self.control.write_text(self.frozen)
            deadline = time.monotonic() + _LIMIT
            while self.confirmed not in self.state.read_text() and time.monotonic() < deadline:
                time.sleep(0.0005)

    def thaw(self) -> None:
        """Let it run again."""
        with contextlib.suppress(FileNotFoundError):
            self.control.write_text(self.thawed)

    def close(self) -> None:
        """Remove the group, which is empty by now."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()


class SignalFreezer:
    """SIGSTOP for every descendant of `ancestor`, which itself goes on; new ones are looked for until there are none.

    A program that waits for its children with WUNTRACED hears of it.
    """

    how = "signals to all descendants"

    def __init__(self, ancestor: int) -> None:
        self._ancestor = ancestor
        self._stopped: list[int] = []

    def freeze(self) -> None:
        """Stop all descendants; one that forks meanwhile is seen in the next look."""
        known: set[int] = set()
        while fresh := [pid for pid in _descendants(self._ancestor) if pid not in known]:
            for pid in fresh:
                _send(pid, signal.SIGSTOP)
            known.update(fresh)
        self._stopped = list(known)

    def thaw(self) -> None:
        """Let those that were stopped run again."""
        for pid in self._stopped:
            _send(pid, signal.SIGCONT)
        self._stopped = []

    def close(self) -> None:
        """Nothing was made."""


def make_cgroup_freezer(root: Path = _ROOT) -> CgroupFreezer | None:
    """A fresh group below our own in the first hierarchy with a freezer that we may write; None where there is none."""
    name = f"hotloop-{os.getpid()}-{next(_numbers)}"
    for parent, version in _hierarchies(root):
        folder = parent / name
        try:
            folder.mkdir()
        except OSError:
            continue
        freezer = _of_version(folder, version)
        if freezer.control.exists() and os.access(freezer.procs, os.W_OK):
            return freezer
        freezer.close()
    return None


def _of_version(folder: Path, version: int) -> CgroupFreezer:
    if version == 1:
        state = folder / "freezer.state"
        return CgroupFreezer(
            folder=folder,
            how="cgroup v1 freezer",
            control=state,
            frozen="FROZEN",
            thawed="THAWED",
            state=state,
            confirmed="FROZEN",
        )
    return CgroupFreezer(
        folder=folder,
        how="cgroup v2 freezer",
        control=folder / "cgroup.freeze",
        frozen="1",
        thawed="0",
        state=folder / "cgroup.events",
        confirmed="frozen 1",
    )


def _hierarchies(root: Path) -> list[tuple[Path, int]]:
    """Our own group in each hierarchy that may have a freezer, the unified one first."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found: list[tuple[Path, int]] = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if number == "0":
            found += [(mount / own, 2) for mount in (root, root / "unified") if (mount / "cgroup.controllers").exists()]
        elif "freezer" in controllers.split(","):
            found.append((root / "freezer" / own, 1))
    return sorted(found, key=lambda one: -one[1])


def _descendants(ancestor: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(ancestor).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
