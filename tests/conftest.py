"""What tests of many rooms need: a recorded machine, programs with their gates, and a third party's transforms."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.verify.forked import forked_workers
from hotloop.measurement import Environment
from hotloop.verify.drift import DriftGate
from hotloop.worker.process import Settings
from hotloop.workload import Workload, parse_workload

PLANTED = Path(__file__).parent / "planted"
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def cpu_machine() -> Environment:
    """A small machine without CUDA and with a compiler."""
    return Environment(
        cpu="Example 9000",
        cpu_flags=("avx2", "avx512_bf16"),
        cores=(0, 1),
        threads=2,
        governor="performance",
        load=0.25,
        foreign_cores=0.0,
        memory=8 * 2**30,
        platform="Linux",
        python="3.11.7",
        torch="2.13.0",
        hotloop="0.1.0",
        argv=("hotloop", "tune", "train.py"),
        variables={"OMP_NUM_THREADS": "1"},
        allocators={"tcmalloc": "/usr/lib/libtcmalloc_minimal.so.4"},
        compiler="g++ 12",
    )


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


@pytest.fixture(scope="module")
def forked() -> Iterator[None]:
    """Watched runs are forked from this process: what they import takes twenty times as long as a run."""
    with forked_workers():
        yield


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


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a script of benchmarks/verify with some arguments, in a process of its own: the table that it writes."""

    def run(script: str, *arguments: str) -> dict[str, Any]:
        root, out = Path(__file__).resolve().parents[1], tmp_path / "table.json"
        path = os.pathsep.join([str(root / "src"), os.environ.get("PYTHONPATH", "")])
        call = [sys.executable, "-m", f"benchmarks.verify.{script}", "--out", str(out), *arguments]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        done = subprocess.run(call, cwd=root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(out.read_text())

    return run
