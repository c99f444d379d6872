import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotloop.machine.environment import (
    cpu_model,
    default_threads,
    foreign_cores,
    governor,
    physical_cores,
    record_environment,
    relevant_variables,
)
from hotloop.machine.installed import find_allocators, find_compiler, git_state, torch_has_cuda, torch_version
from hotloop.machine.nvidia import Gpu, parse_smi, visible
from hotloop.measurement import Clock, Environment
from hotloop.records.documents import from_data, read_result, result_json, to_data
from hotloop.trial import Result
from hotloop.verdict import Outcome

BUSY = "print(flush=True)\nwhile True: pass"
SIBLING = """
from hotloop.machine.environment import foreign_cores
print(flush=True)
input()
print(foreign_cores(1.5))
"""
SMI = """\
0, GPU-1f, NVIDIA H100 80GB HBM3, 570.86.15, 1980 MHz, 2619 MHz
1, GPU-2e, NVIDIA H100 80GB HBM3, 570.86.15, 345 MHz, 2619 MHz
"""
environments = st.builds(
    Environment,
    load=st.floats(allow_nan=False, allow_infinity=False),
    foreign_cores=st.floats(allow_nan=False, allow_infinity=False),
)


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / "train.py").write_text("pass\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_environment_of_this_machine_is_recorded(repository: Path) -> None:
    found = record_environment(["hotloop", "tune"], repository)
    assert found.argv == ("hotloop", "tune")
    assert found.cpu
    assert found.threads >= 1
    assert found.cores == tuple(sorted(os.sched_getaffinity(0)))
    assert found.memory > 2**28
    assert (len(found.git_revision), found.git_dirty) == (40, False)
    assert from_data(Environment, to_data(found)) == found


@given(environments)
def test_any_environment_survives_the_result_document(environment: Environment) -> None:
    result = Result(
        workload="",
        verdict=Outcome.FAIL,
        message="",
        speedup=None,
        aa=None,
        clock=Clock.WALL,
        plan=(),
        payback_steps=None,
        payback_seconds=None,
        trials=(),
        environment=environment,
        evidence="",
        command="",
    )
    assert read_result(json.loads(result_json(result))).environment == environment


def _start(code: str) -> "subprocess.Popen[bytes]":
    """A child that has come as far as its first line of output."""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def test_a_busy_child_of_ours_is_a_stranger_only_to_its_sibling() -> None:
    busy, sibling = _start(BUSY), _start(SIBLING)
    assert sibling.stdin is not None
    try:
        used = psutil.Process(busy.pid).cpu_times().user
        sibling.stdin.write(b"now\n")
        sibling.stdin.flush()
        seen_by_parent = foreign_cores(1.5)
        used = psutil.Process(busy.pid).cpu_times().user - used
        seen_by_sibling = float(sibling.communicate()[0])
    finally:
        busy.kill()
        busy.communicate()
    assert seen_by_sibling - seen_by_parent > 0.5 * used / 1.5


def test_foreign_cores_are_never_negative() -> None:
    assert foreign_cores(0.0) >= 0.0


def test_threads_are_what_torch_answers() -> None:
    ask = (
        "import os; from hotloop.machine.environment import default_threads as threads; before = threads(os.environ);"
        "import torch; print(before, torch.get_num_threads(), threads(os.environ))"
    )
    for asked in ({}, {"MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "2"}):
        variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        call = [sys.executable, "-c", ask]
        answer = subprocess.run(call, env={**variables, **asked}, capture_output=True, check=True, text=True)
        assert len(set(answer.stdout.split())) == 1, (asked, answer.stdout)


@pytest.mark.parametrize("text", ["", "nonsense", "0", "-3", "4 threads"])
def test_a_thread_count_that_makes_no_sense_is_not_used(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    cores = tuple(sorted(os.sched_getaffinity(0)))
    assert default_threads({"OMP_NUM_THREADS": text}) == physical_cores(cores)


def test_more_threads_than_cores_only_without_mkl_dynamic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    cores = physical_cores(tuple(sorted(os.sched_getaffinity(0))))
    assert default_threads({"OMP_NUM_THREADS": "999,2"}) == cores
    assert default_threads({"OMP_NUM_THREADS": "999,2", "MKL_DYNAMIC": "FALSE"}) == 999


def test_cores_and_governor_that_linux_does_not_describe_still_count() -> None:
    assert physical_cores([100_001, 100_002]) == 2
    assert governor([100_001]) == "unknown"


def test_the_cpu_is_read_as_x86_and_as_arm_say_it(tmp_path: Path) -> None:
    (tmp_path / "x86").write_text("processor\t: 0\nmodel name\t: Example 9000\nflags\t\t: fma avx2\n\nflags\t: other\n")
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert cpu_model(tmp_path / "x86") == ("Example 9000", ("avx2", "fma"))
    assert cpu_model(tmp_path / "arm")[1] == ("asimd", "fp")


def test_a_machine_without_cpuinfo_still_has_a_name(tmp_path: Path) -> None:
    name, flags = cpu_model(tmp_path / "absent")
    assert name
    assert flags == ()


def test_only_variables_that_matter_are_kept() -> None:
    kept = {"GLIBC_TUNABLES": "a", "LD_PRELOAD": "b", "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_CACHE_DIR": "c"}
    assert relevant_variables({**kept, "AWS_SECRET_ACCESS_KEY": "x", "HOME": "/"}) == kept


def test_a_changed_or_a_new_file_makes_a_revision_dirty(repository: Path) -> None:
    revision, is_dirty = git_state(repository)
    assert not is_dirty
    (repository / "new.py").touch()
    assert git_state(repository) == (revision, True)
    (repository / "new.py").unlink()
    (repository / "train.py").write_text("raise\n")
    assert git_state(repository) == (revision, True)


def test_a_git_hook_does_not_lead_to_another_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = git_state(repository)
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    assert git_state(repository) == expected


def test_no_git_and_no_repository_are_an_empty_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) == ("", False)
    assert git_state(tmp_path / "absent") == ("", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path(__file__).parent) == ("", False)


def test_found_allocators_can_be_preloaded() -> None:
    for path in find_allocators().values():
        done = subprocess.run(["/bin/true"], env={"LD_PRELOAD": path}, capture_output=True, check=True)
        assert done.stderr == b""


def test_the_compiler_is_what_cxx_names_else_the_first_on_the_path(tmp_path: Path) -> None:
    for name in ("g++", "mine"):
        (tmp_path / name).touch(mode=0o755)
    assert find_compiler({"PATH": str(tmp_path), "CXX": "mine"}) == str(tmp_path / "mine")
    assert find_compiler({"PATH": str(tmp_path)}) == str(tmp_path / "g++")
    assert find_compiler({"PATH": str(tmp_path / "absent")}) == ""


def test_torch_is_described_without_importing_it() -> None:
    ask = "import torch; print(torch.__version__, torch.version.cuda is not None)"
    answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True, text=True)
    assert answer.stdout.split() == [torch_version(), str(torch_has_cuda())]


def test_nvidia_smi_is_read_line_by_line() -> None:
    first, second = parse_smi(SMI)
    assert (first.name, first.driver, first.clocks) == (
        "NVIDIA H100 80GB HBM3",
        "570.86.15",
        "sm 1980 MHz, memory 2619 MHz",
    )
    assert second.index == 1
    assert parse_smi("No devices were found\n") == ()


@pytest.mark.parametrize(
    ("devices", "shown"),
    [
        (None, [0, 1]),
        ("", []),
        ("1", [1]),
        ("1,0", [1, 0]),
        ("-1", []),
        ("0,7,1", [0]),
        ("GPU-2e", [1]),
        ("NoDevFiles", []),
    ],
)
def test_only_the_visible_devices_count(devices: str | None, shown: list[int]) -> None:
    gpus: tuple[Gpu, ...] = parse_smi(SMI)
    assert [gpu.index for gpu in visible(gpus, devices)] == shown
