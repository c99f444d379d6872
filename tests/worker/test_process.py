"""Each way in which a worker can end is told apart, and its numbers are those of the program."""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hotloop.errors import HotloopError, NeverStepped, NotApplicable, ProtectedFile, WorkloadCrashed
from hotloop.transform import Plan
from hotloop.worker.process import EndedEarly, Settings, Worker
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import Recipe, Script

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
HEAD = """
import os, sys, time, torch
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def train(steps):
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(torch.ones(2, 4)).square().mean()
        loss.backward()
        optimizer.step()
"""
Starter = Callable[..., Worker]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Iterator[Starter]:
    """Starts a worker on a text that follows HEAD, or on a file of tests/scripts."""
    with ExitStack() as stack:

        def begin(program: str, *arguments: str, watch: ObservationSpec | None = None, limit: float = 60.0) -> Worker:
            path = SCRIPTS / program
            if not program.endswith(".py"):
                path = home / "train.py"
                path.write_text(HEAD + program)
            settings = Settings(
                folder=tmp_path / "session",
                variables={"OMP_NUM_THREADS": "1"},
                first_step_limit=60.0 if limit >= 1 else 20.0,
                turn_limit=limit,
            )
            script = Script(path=path, arguments=arguments, folder=home)
            return stack.enter_context(Worker(script, Plan(), settings, watch=watch))

        yield begin


def end_of(worker: Worker, *, turns: int = 1, steps: int = 3) -> HotloopError:
    """What the worker raises when it is asked for that many turns, one after another."""

    def ask() -> None:
        worker.wait_at_barrier()
        for _ in range(turns):
            worker.turn(steps)

    with pytest.raises(HotloopError) as caught:
        ask()
    return caught.value


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie; waits up to 3 s for its end."""
    for _ in range(60):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except FileNotFoundError:
            return False
        time.sleep(0.05)
    return True


def test_a_turn_gives_its_steps_their_times_and_losses(start: Starter) -> None:
    worker = start("train(100)")
    worker.wait_at_barrier()
    first, second = worker.turn(3), worker.turn(5)
    assert [len(samples) for samples in (first.wall, first.cpu, first.losses)] == [3, 3, 3]
    assert len(second.wall) == 5
    assert second.steps == 8
    assert second.optimizers == ("SGD",)
    assert first.losses[0] > 1e-6 > second.losses[0]


def test_the_first_turn_of_a_job_lasts_until_all_its_phases_have_come(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    with Worker(Recipe(target="growth", folder=tmp_path), Plan(), Settings(folder=tmp_path / "session")) as worker:
        worker.wait_at_barrier()
        first, second = worker.turn(3), worker.turn(5)
    assert (len(first.wall), len(second.wall)) == (24, 5)


def test_a_crash_keeps_its_traceback_with_the_path_of_the_users(start: Starter, home: Path) -> None:
    error = end_of(start("train(7)\nraise RuntimeError('out of patience')"), turns=9)
    assert isinstance(error, WorkloadCrashed)
    assert error.kind == "RuntimeError"
    assert "out of patience" in str(error)
    assert f'File "{home / "train.py"}", line' in error.traceback


def test_an_exit_code_is_told_with_what_the_program_printed(start: Starter) -> None:
    error = end_of(start("train(4)\nprint('no such data', file=sys.stderr)\nsys.exit(3)"), turns=9)
    assert isinstance(error, WorkloadCrashed)
    assert "left with sys.exit(3)" in str(error)
    assert error.traceback == "no such data"


def test_a_refused_argument_is_told_in_the_words_of_the_program(start: Starter) -> None:
    error = end_of(start("exits.py", "--width", "7"))
    assert isinstance(error, WorkloadCrashed)
    assert "left with sys.exit(2)" in str(error)
    assert "must be a multiple of 8" in error.traceback


@pytest.mark.parametrize("end", ["", "sys.exit()", "sys.exit(0)"])
def test_a_program_that_ends_early_says_after_how_many_steps(start: Starter, end: str) -> None:
    error = end_of(start(f"train(7)\n{end}"), turns=9)
    assert isinstance(error, EndedEarly)
    assert str(error) == "the program ended after 7 steps"


def test_a_signal_is_named_and_the_last_lines_are_kept(start: Starter) -> None:
    error = end_of(start("dies.py"), turns=20)
    assert isinstance(error, WorkloadCrashed)
    assert "ended by signal SIGKILL" in str(error)
    assert "step 12 loss" in str(error)


def test_an_exit_past_python_is_told_with_its_status(start: Starter) -> None:
    error = end_of(start("train(4)\nos._exit(5)"), turns=9)
    assert isinstance(error, WorkloadCrashed)
    assert "left with status 5" in str(error)


def test_a_program_that_hangs_is_told_with_the_line_where_it_stands(start: Starter) -> None:
    error = end_of(start("hangs.py", limit=0.9), turns=20)
    assert isinstance(error, NeverStepped)
    assert "steps and not the next" in str(error)
    assert f'File "{SCRIPTS / "hangs.py"}", line 20' in str(error)


def test_a_program_that_never_steps_is_told_so(start: Starter) -> None:
    worker = start("never_steps.py", "--sleep", limit=0.9)
    worker.wait_at_barrier()
    with pytest.raises(NeverStepped, match=r"did not make its first step within 1 s.*\n(.*\n)*.*never_steps.py"):
        worker.turn(1)


def test_a_watched_program_that_hangs_does_not_wait_for_all_its_steps(start: Starter) -> None:
    worker = start("hangs.py", watch=ObservationSpec(steps=30, seed=0), limit=0.9)
    with pytest.raises(NeverStepped, match="made 10 steps and not the next step within"):
        worker.watched()


def test_a_worker_killed_between_its_turns_is_told_at_the_next(start: Starter) -> None:
    worker = start("train(100)")
    worker.wait_at_barrier()
    worker.turn(3)
    os.kill(worker.pid, 9)
    time.sleep(0.3)
    with pytest.raises(WorkloadCrashed, match="SIGKILL after 3 steps"):
        worker.turn(3)


def test_much_output_does_not_block_a_worker(start: Starter) -> None:
    worker = start("prints_much.py")
    worker.wait_at_barrier()
    worker.turn(6)
    assert len(worker.last_lines().splitlines()) == 15


def test_a_child_that_outlives_the_program_is_ended_with_it(start: Starter) -> None:
    worker = start("forks.py")
    worker.wait_at_barrier()
    worker.turn(3)
    child = int(worker.last_lines().split()[1])
    assert Path(f"/proc/{child}").exists()
    worker.end()
    assert not is_running(child)
    assert not is_running(worker.pid)


CHILDREN = {
    "leaves": "sys.exit(0)",
    "fails": "raise RuntimeError('only the child')",
    "trains": "train(50); os._exit(0)",
    "escapes": "os.setsid(); time.sleep(600)",
}


@pytest.mark.parametrize("act", CHILDREN)
def test_a_forked_child_is_not_heard(start: Starter, act: str) -> None:
    worker = start(f"if os.fork() == 0:\n    {CHILDREN[act]}\ntime.sleep(0.3)\ntrain(9)")
    worker.wait_at_barrier()
    assert worker.turn(3).steps == 3
    assert worker.turn(3).steps == 6


def test_a_forked_child_of_a_watched_program_is_not_heard(start: Starter) -> None:
    worker = start(
        "if os.fork() == 0:\n    train(2)\n    sys.exit(0)\ntime.sleep(0.3)\ntrain(9)",
        watch=ObservationSpec(steps=30, seed=0),
    )
    assert len(worker.watched()["losses"]) == 9


def test_noise_does_not_break_a_penalty_that_was_computed_before_the_model_ran(start: Starter) -> None:
    program = "penalty = (model.weight ** 2).sum()\n(model(torch.ones(2, 4)).mean() + penalty).backward()\n"
    worker = start(f"{program}optimizer.step()", watch=ObservationSpec(steps=1, seed=0, noise=2.0**-9, noise_seed=1))
    assert len(worker.watched()["losses"]) == 1


def test_a_protected_file_ends_the_worker_with_its_path(start: Starter, home: Path) -> None:
    (home / "results.txt").write_text("precious")
    error = end_of(start("overwrites.py"), turns=9)
    assert isinstance(error, ProtectedFile)
    assert str(home / "results.txt") in str(error)
    assert (home / "results.txt").read_text() == "precious"


def test_a_protected_file_cannot_be_swallowed(start: Starter, home: Path) -> None:
    (home / "precious.txt").write_text("precious")
    swallow = "try:\n    open('precious.txt', 'w')\nexcept BaseException:\n    pass\ntrain(9)"
    assert isinstance(end_of(start(swallow)), ProtectedFile)


def test_what_a_program_writes_vanishes_with_it(start: Starter, home: Path) -> None:
    worker = start("eval_checkpoint.py", "--steps", "400", "--eval-every", "2")
    worker.wait_at_barrier()
    worker.turn(5)
    worker.end()
    assert list(home.iterdir()) == []


def test_two_workers_may_make_the_same_file_outside(start: Starter, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    program = f"open('{outside}', 'a').close()\ntrain(9)"
    for worker in (start(program), start(program)):
        worker.wait_at_barrier()
        assert worker.turn(3).steps == 3


def test_modules_and_data_beside_the_program_are_found(tmp_path: Path) -> None:
    folder = SCRIPTS / "beside"
    settings = Settings(folder=tmp_path, variables={"OMP_NUM_THREADS": "1"})
    with Worker(Script(path=Path("train.py"), folder=folder), Plan(), settings) as worker:
        worker.wait_at_barrier()
        assert worker.turn(3).optimizers == ("Adam",)


def test_accumulation_is_one_step_for_each_update(start: Starter) -> None:
    worker = start("accumulation.py", watch=ObservationSpec(steps=4, seed=0))
    losses = worker.watched()["losses"]
    assert len(losses) == 4
    assert losses[0] == pytest.approx([2.3 / 4] * 4, rel=0.1)  # four losses, each divided by four


def test_of_two_optimizers_the_first_that_steps_leads(start: Starter) -> None:
    worker = start("gan.py", "--steps", "4")
    worker.wait_at_barrier()
    assert worker.turn(4).steps == 4
    with pytest.raises(EndedEarly, match="after 8 steps"):  # two discriminator steps for each generator step
        worker.turn(100)


def test_a_closure_called_many_times_is_one_step(start: Starter) -> None:
    worker = start("lbfgs.py", "--steps", "5")
    worker.wait_at_barrier()
    turn = worker.turn(3)
    assert turn.optimizers == ("LBFGS",)
    assert turn.losses[2] < turn.losses[0]
    with pytest.raises(EndedEarly, match="after 5 steps"):
        worker.turn(9)


def test_a_plan_that_cannot_start_leaves_no_scratch_copy(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("hotloop.transforms.allocator.find_allocators", dict)
    (tmp_path / "temporary").mkdir()
    (home / "train.py").write_text(HEAD)
    plan = Plan.from_data([{"name": "allocator", "library": "tcmalloc"}])
    with pytest.raises(NotApplicable, match="not installed"):
        Worker(Script(path=Path("train.py"), folder=home), plan, Settings(folder=tmp_path))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_worker_that_the_kernel_killed_for_memory_is_told_with_what_it_had(
    start: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotloop.worker.process.oom_kills", itertools.count().__next__)
    error = end_of(start("dies.py"), turns=20)
    assert isinstance(error, WorkloadCrashed)
    assert re.search(r"was killed for want of memory after \d+ steps \(it had [1-9]\d+ MiB\)", str(error))


@pytest.mark.parametrize(
    "raised",
    ["MemoryError()", "torch.OutOfMemoryError('CUDA out of memory.')", 'RuntimeError("can\'t allocate memory")'],
)
def test_a_program_that_runs_out_of_memory_is_told_so(start: Starter, raised: str) -> None:
    error = end_of(start(f"train(4)\nraise {raised}"), turns=9)
    assert isinstance(error, WorkloadCrashed)
    assert "ran out of memory after 3 steps (it had" in str(error)
