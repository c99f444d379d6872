"""Diagnosed runs, each made once; and a scene for spies that are tried in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hotloop.diagnose.call_sites import Places
from hotloop.diagnose.diagnosis import Diagnosis
from hotloop.diagnose.trace import Look, trace
from hotloop.diagnose.trace_context import Scene
from hotloop.workload import parse_workload
from hotloop.workloads.scratch import Scratch

PROGRAMS = Path(__file__).parent / "programs"
SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture(scope="session")
def diagnosed() -> Callable[..., Diagnosis]:
    """What a program was seen to do; runs are kept."""
    kept: dict[tuple[str, ...], Diagnosis] = {}

    def look(path: Path, *arguments: str) -> Diagnosis:
        call = (str(path), *arguments)
        if call not in kept:
            workload = parse_workload(path.name, arguments, folder=path.parent)
            kept[call] = trace(workload, Look(steps=12, budget=6.0))
        return kept[call]

    return look


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A scene without a scratch copy."""
    return Scene(places=Places(Scratch(folder=tmp_path, roots=())))


def marked(path: Path, *marks: str) -> dict[int, str]:
    """Lines of a file that end in a comment with one of these marks."""
    found: dict[int, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        comment = line.rpartition("  # ")[2] if "  # " in line else ""
        for mark in marks:
            if mark in comment.split() or comment == mark:
                found[number] = mark
    return found
