"""Programs that live in a tree, and programs that write and resume by an absolute path."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotloop.errors import NeverStepped, WorkloadCrashed
from hotloop.transform import Plan
from hotloop.worker.process import Settings, Worker
from hotloop.workload import Workload, parse_workload

CASES = Path(__file__).resolve().parent
Starter = Callable[[Workload], Worker]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    shutil.copytree(CASES / "layout", tmp_path / "layout")
    return tmp_path / "layout"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    settings = Settings(folder=tmp_path / "session", variables={"OMP_NUM_THREADS": "1"})
    with ExitStack() as stack:
        yield lambda workload: stack.enter_context(Worker(workload, Plan(), settings))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def steps_of(worker: Worker, steps: int = 3) -> int:
    worker.wait_at_barrier()
    return worker.turn(steps).steps


def test_what_lies_beside_the_folder_is_found_through_dots(start: Starter, layout: Path) -> None:
    assert steps_of(start(parse_workload("train.py", folder=layout / "scripts"))) == 3


def test_so_it_is_in_a_project_with_a_repository(start: Starter, layout: Path) -> None:
    (layout / ".git").mkdir()
    assert steps_of(start(parse_workload("train.py", folder=layout / "scripts"))) == 3


def test_a_module_of_a_package_runs_as_python_would_run_it(start: Starter, layout: Path) -> None:
    workload = parse_workload("pkg.train", folder=layout, is_module=True)
    assert workload.title == "-m pkg.train"
    assert steps_of(start(workload)) == 3


def test_what_a_trial_writes_beside_its_folder_stays_in_the_copy(start: Starter, layout: Path) -> None:
    (layout / "scripts" / "train.py").write_text("open('../made.txt', 'w').close(); raise SystemExit(7)")
    with pytest.raises(WorkloadCrashed, match="7"):
        steps_of(start(parse_workload("train.py", folder=layout / "scripts")))
    assert not (layout / "made.txt").exists()


def test_a_trial_neither_sees_the_checkpoint_of_another_nor_leaves_one(
    start: Starter, runs: Path, layout: Path
) -> None:
    workload = parse_workload(str(CASES / "resume_abs.py"), folder=layout)
    for _ in range(2):
        worker = start(workload)
        steps_of(worker, steps=45)
        assert "start at 0" in worker.last_lines()
        assert (runs / "last.pt").is_file()
        worker.end()
        assert not runs.exists()


def test_a_trial_that_was_ready_before_sees_no_checkpoint_of_one_that_has_ended(
    start: Starter, runs: Path, layout: Path
) -> None:
    workload = parse_workload(str(CASES / "resume_abs.py"), folder=layout)
    first, second = start(workload), start(workload)
    first.wait_at_barrier()
    second.wait_at_barrier()
    first.turn(45)
    first.end()
    assert second.turn(45).steps == 45
    assert "start at 0" in second.last_lines()
    second.end()
    assert not runs.exists()


def test_what_the_user_had_in_the_folder_stays(start: Starter, runs: Path, layout: Path) -> None:
    runs.mkdir()
    (runs / "mine.txt").write_text("precious")
    worker = start(parse_workload(str(CASES / "resume_abs.py"), folder=layout))
    steps_of(worker, steps=45)
    worker.end()
    assert [path.name for path in runs.iterdir()] == ["mine.txt"]


def test_updates_that_are_written_out_are_steps(start: Starter, layout: Path) -> None:
    worker = start(parse_workload(str(CASES / "manual_sgd.py"), folder=layout))
    worker.wait_at_barrier()
    first, second = worker.turn(3), worker.turn(100)
    assert first.optimizers == ("UpdateByHand",)
    assert second.losses[-1] < first.losses[0]


IN_CHILDREN = {
    "fork": "mp.get_context('fork').Process(target=train).start()",
    "spawn": "mp.get_context('spawn').Process(target=train).start()",
    "torch": "torch.multiprocessing.spawn(train, nprocs=2)",
    "os.fork": "os.fork() == 0 and (train(), os._exit(0)) or os.wait()",
}


@pytest.mark.parametrize("way", IN_CHILDREN)
def test_a_program_that_trains_in_child_processes_is_told_so(start: Starter, layout: Path, way: str) -> None:
    (layout / "train.py").write_text(f"""
import multiprocessing as mp, os, time, torch
def train(rank=0):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(20):
        model(torch.ones(2, 4)).mean().backward()
        optimizer.step()
if __name__ == "__main__":
    {IN_CHILDREN[way]}
""")
    worker = start(parse_workload("train.py", folder=layout))
    with pytest.raises(NeverStepped, match="trains in child processes"):
        steps_of(worker)


def proven(workload: str, folder: Path, *options: str, plan: str = "fused_optimizer") -> None:
    """`hotloop prove` comes to a verdict on speed, and says that the plan (or none) trains the same."""
    (folder / "plan.toml").write_text(f'[[transform]]\nname = "{plan}"\n' if plan else "")
    call = ["prove", workload, *options, "--plan", str(folder / "plan.toml"), "--budget", "20s", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "hotloop", *call],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HOTLOOP_HISTORY": f"sqlite:///{folder / 'history.db'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    gates = {verdict["gate"]: verdict["outcome"] for verdict in json.loads(done.stdout)["verdicts"]}
    assert gates.keys() == ({"step", "drift", "speed"} if plan else {"drift", "speed"}), done.stdout
    assert {outcome for gate, outcome in gates.items() if gate != "speed"} == {"PASS"}, done.stdout


@pytest.mark.slow
def test_a_program_that_resumes_by_an_absolute_path_is_proven_twice_and_leaves_nothing(
    runs: Path, layout: Path
) -> None:
    shutil.copy(CASES / "resume_abs.py", layout / "train.py")
    for _ in range(2):
        proven("train.py", layout)
        assert not runs.exists()


@pytest.mark.slow
def test_a_program_beside_its_library_is_proven(layout: Path) -> None:
    proven("train.py", layout / "scripts")


@pytest.mark.slow
def test_a_module_is_proven(layout: Path) -> None:
    proven("pkg.train", layout, "-m")


@pytest.mark.slow
def test_a_program_without_an_optimizer_is_proven(layout: Path) -> None:
    shutil.copy(CASES / "manual_sgd.py", layout / "train.py")
    proven("train.py", layout, plan="")
