"""Programs to tune, a gate for each of them, and a third party's transforms that are found without installation."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotloop.measure.lockstep import Settings
from hotloop.verify.drift import DriftGate
from hotloop.workload import Workload, parse_workload

PLANTED = Path(__file__).parents[1] / "planted"
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def planted() -> Iterator[None]:
    """The distribution under tests/planted, for this process and for workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PLANTED))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(PLANTED), os.environ.get("PYTHONPATH", "")])))
        importlib.invalidate_caches()
        yield
    for name in [name for name in sys.modules if name.startswith("hotloop_planted")]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DriftGate]:
    """The gate of a program; its runs of the untransformed program are shared by all tests."""
    settings = Settings(folder=tmp_path_factory.mktemp("session"))
    kept: dict[str, DriftGate] = {}

    def gate(name: str) -> DriftGate:
        return kept.setdefault(name, DriftGate(program(name), settings, steps=12))

    return gate


def program(name: str, *arguments: str) -> Workload:
    """One of the programs beside this file."""
    return parse_workload(f"{name}.py", arguments, folder=PROGRAMS)


@pytest.fixture(name="program")
def program_fixture() -> Callable[..., Workload]:
    """One of the programs beside this file, by name."""
    return program
