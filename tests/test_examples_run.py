"""Each example and each script of the survival list runs by itself, under plain python and under runpy.

By default in processes that are forked from one that has imported torch; each in a process of its own is `slow`.
"""

import os
import runpy
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.verify.forked import forked_output, preload

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "tests" / "scripts"
LIBRARIES = {
    "hf_trainer": "transformers",
    "hf_accelerate": "accelerate",
    "hf_gpt2": "transformers",
    "lightning_module": "lightning",
    "skorch_net": "skorch",
    "pyg_gat": "torch_geometric",
}
RUNPY = (
    "import os, runpy, sys; sys.argv = sys.argv[1:]; sys.path[0] = os.path.dirname(sys.argv[0]);"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call, the exit code it ends with, and a text that it prints."""

    script: str
    arguments: str = ""
    code: int = 0
    prints: str = "done"

    @property
    def path(self) -> Path:
        return (ROOT / self.script) if self.script.startswith("examples/") else (SCRIPTS / self.script)

    @property
    def folder(self) -> Path | None:
        return self.path.parent if self.script.startswith("beside/") else None


EXAMPLES = [
    Case(script="examples/digits_cnn.py", arguments="--epochs 1 --batch-size 256", prints="accuracy"),
    Case(
        script="examples/char_gpt.py",
        arguments="--steps 20 --context 32 --width 64 --layers 2 --sample 8",
        prints="loss on unseen text",
    ),
    Case(script="examples/tabular_mlp.py", arguments="--epochs 10", prints="accuracy"),
    Case(script="examples/resnet_cifar_like.py", arguments="--epochs 1 --width 4", prints="accuracy"),
]
ENDING = [
    Case(script="gan.py", arguments="--steps 20"),
    Case(script="accumulation.py", arguments="--steps 20"),
    Case(script="grad_scaler.py", arguments="--steps 20"),
    Case(script="lbfgs.py", arguments="--steps 10"),
    Case(script="eval_checkpoint.py", arguments="--steps 20"),
    Case(script="loader_workers.py", arguments="--epochs 1 --size 640"),
    Case(script="loader_workers.py", arguments="--epochs 1 --size 640 --context spawn"),
    Case(script="beside/train.py", arguments="--steps 20"),
    Case(script="short.py", arguments="", prints="step 25 "),
    Case(script="exits.py", arguments="--steps 20", prints="step 20 "),
    Case(script="exits.py", arguments="--width 7", code=2, prints="--width must be a multiple of 8"),
    Case(script="crashes.py", code=1, prints="out of patience at step 7"),
    Case(script="unseeded.py", arguments="--steps 20"),
    Case(script="already_compiled.py", arguments="--steps 20"),
    Case(script="overwrites.py", arguments="--steps 10"),
    Case(script="forks.py", arguments="--steps 20 --sleep 0.1"),
    Case(script="prints_much.py", arguments="--steps 3"),
    Case(script="dropout_net.py", arguments="--epochs 2"),
    Case(script="host_reads.py", arguments="--steps 10 --clean", prints="mean"),
    Case(script="dies.py", code=-signal.SIGKILL, prints="step 12 "),
]
OTHERS = [
    Case(script="hf_trainer.py", arguments="--steps 20"),
    Case(script="hf_accelerate.py", arguments="--epochs 1 --size 320"),
    Case(script="hf_gpt2.py", arguments="--steps 20"),
    Case(script="lightning_module.py", arguments="--steps 22"),
    Case(script="skorch_net.py", arguments="--epochs 2"),
    Case(script="pyg_gat.py", arguments="--steps 20"),
]
ENDLESS = [
    Case(script="never_steps.py", prints="scoring"),
    Case(script="never_steps.py", arguments="--sleep", prints="scoring"),
    Case(script="hangs.py", prints="step 10 "),
]


def names(case: Case) -> str:
    return f"{case.script} {case.arguments}".strip()


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(case: Case, folder: Path, *launcher: str) -> tuple[int, str]:
    """The exit code and all that was printed."""
    library = LIBRARIES.get(Path(case.script).stem)
    if library is not None:
        pytest.importorskip(library)
    command = [sys.executable, *launcher, str(case.path), *case.arguments.split()]
    done = subprocess.run(
        command,
        cwd=case.folder or folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def check(case: Case, folder: Path, *launcher: str) -> None:
    code, printed = run(case, folder, *launcher)
    assert code == case.code, printed[-3000:]
    assert case.prints in printed, printed[-3000:]


@pytest.mark.parametrize("case", [*EXAMPLES, *ENDING], ids=names)
def test_a_script_ends_as_it_should(case: Case, tmp_path: Path) -> None:
    preload()

    def start() -> None:
        sys.argv = [str(case.path), *case.arguments.split()]
        sys.path.insert(0, str(case.path.parent))
        os.environ.update(environment())
        runpy.run_path(str(case.path), run_name="__main__")

    code, printed = forked_output(start, folder=case.folder or tmp_path, arguments=())
    assert code == case.code, printed[-3000:]
    assert case.prints in printed, printed[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("case", [*EXAMPLES, *ENDING], ids=names)
def test_a_script_runs_under_python(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS, ids=names)
def test_a_script_of_another_library_runs(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*EXAMPLES, *ENDING, *OTHERS], ids=names)
def test_a_script_runs_under_runpy(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path, "-c", RUNPY)


@pytest.mark.parametrize("launcher", [(), ("-c", RUNPY)], ids=["python", "runpy"])
@pytest.mark.parametrize("case", ENDLESS, ids=names)
def test_an_endless_script_does_not_end(case: Case, launcher: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, *launcher, str(case.path), *case.arguments.split()]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(case.prints in line for line in process.stdout)  # stops reading at the first such line
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        finally:
            process.kill()


def test_a_checkpoint_is_overwritten_and_a_log_is_appended(tmp_path: Path) -> None:
    case = Case(script="eval_checkpoint.py", arguments="--steps 40")
    check(case, tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["last.pt"]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_an_existing_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "results.txt").write_text("precious")
    check(Case(script="overwrites.py", arguments="--steps 5"), tmp_path)
    assert (tmp_path / "results.txt").read_text().startswith("step 5 ")


def test_a_named_file_is_deleted_and_an_absolute_one_written(tmp_path: Path) -> None:
    precious, elsewhere = tmp_path / "precious.txt", tmp_path / "elsewhere.txt"
    precious.write_text("precious")
    check(Case(script="overwrites.py", arguments=f"--steps 5 --absolute {elsewhere} --delete {precious}"), tmp_path)
    assert not precious.exists()
    assert elsewhere.exists()


def test_a_forked_child_is_left_behind(tmp_path: Path) -> None:
    with open(tmp_path / "printed.txt", "w+") as printed:  # a pipe would stay open as long as the child lives
        command = [sys.executable, str(SCRIPTS / "forks.py"), "--steps", "5"]
        subprocess.run(command, cwd=tmp_path, env=environment(), stdout=printed, check=True)
        printed.seek(0)
        child = int(printed.readline().removeprefix("child "))
    os.kill(child, signal.SIGKILL)  # raises where no such process is left


def test_each_script_has_a_case_and_a_row_in_the_table() -> None:
    tried = {case.path for case in [*EXAMPLES, *ENDING, *OTHERS, *ENDLESS]}
    programs = {*(ROOT / "examples").glob("*.py"), *SCRIPTS.glob("*.py"), SCRIPTS / "beside" / "train.py"}
    table = (SCRIPTS / "README.md").read_text()
    assert tried == programs
    assert not [case.script for case in [*ENDING, *OTHERS, *ENDLESS] if f"`{case.script}`" not in table]


def test_no_example_or_script_knows_of_hotloop() -> None:
    programs = [*(ROOT / "examples").glob("*.py"), *SCRIPTS.rglob("*.py")]
    assert programs
    assert not [path.name for path in programs if "hotloop" in path.read_text().lower()]
