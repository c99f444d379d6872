import os
import stat
import subprocess
import sys

import pytest
import torch

from hotloop import kernels
from hotloop.kernels import build
from hotloop.machine.installed import find_compiler

PROBE = """
import warnings, torch
from hotloop import kernels
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for _ in range(3):
        y = kernels.sine(torch.ones(2, 3), *[torch.zeros(3)] * 3)
print(kernels.status().cpu, len(seen), *[str(warning.message) for warning in seen])
"""


def probe(**variables):
    """What a fresh process says after three calls."""
    call = [sys.executable, "-c", PROBE]
    return subprocess.run(call, env=os.environ | variables, capture_output=True, text=True, check=True).stdout


def compiler(tmp_path, script):
    path = tmp_path / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_a_compiler_there_is_one_warning_and_pure_torch(tmp_path):
    said = probe(PATH=str(tmp_path), CXX="", HOTLOOP_CACHE=str(tmp_path))
    assert said.startswith("torch 1 ")
    assert "no C++ compiler found" in said


def test_a_failing_compiler_is_quoted(tmp_path):
    broken = compiler(tmp_path, "echo 'no disk left' >&2; exit 3")
    said = probe(CXX=str(broken), HOTLOOP_CACHE=str(tmp_path / "cache"))
    assert said.startswith("torch 1 ")
    assert "no disk left" in said


def test_a_library_that_cannot_be_loaded_is_never_kept(tmp_path):
    empty = compiler(tmp_path, 'while [ "$1" != -o ]; do shift; done; echo nonsense > "$2"')
    folder = tmp_path / "cache"
    with pytest.raises(build.BuildError, match="cannot be loaded"):
        build.built_library(compiler=str(empty), folder=folder)
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(build.BuildError, match="set HOTLOOP_CACHE"):
        build.built_library(folder=blocked)


def test_the_environment_chooses_pure_torch():
    assert probe(HOTLOOP_KERNELS="torch") == "torch 0\n"


def test_a_built_library_is_used_again(native):
    status = kernels.status()
    before = status.library.stat().st_mtime_ns
    assert build.built_library() == status.library
    assert status.library.stat().st_mtime_ns == before


def test_other_flags_or_another_torch_get_another_library(monkeypatch):
    command = (find_compiler(os.environ), "-O3")
    same = build.library_name(command, build.SOURCES)
    assert build.library_name(command, build.SOURCES) == same
    assert build.library_name((*command, "-g"), build.SOURCES) != same
    monkeypatch.setattr(torch, "__version__", "0.0")
    assert build.library_name(command, build.SOURCES) != same


def test_prefer_is_undone():
    with kernels.prefer("torch"):
        assert kernels.status().cpu == "torch"
        with kernels.prefer("auto"):
            assert "asked for" not in kernels.status().reason
    with pytest.raises(ValueError, match="choose 'auto' or 'torch'"), kernels.prefer("fast"):
        pass


@pytest.mark.slow
def test_two_processes_that_build_at_once_leave_one_whole_library(tmp_path):
    command = [sys.executable, "-c", PROBE]
    variables = os.environ | {"HOTLOOP_CACHE": str(tmp_path)}
    both = [subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=600)[0] for process in both] == ["native 0\n"] * 2
    assert len(list((tmp_path / "kernels").glob("*.so"))) == 1
