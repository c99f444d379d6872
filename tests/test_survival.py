"""`hotloop prove` on each kind of program in the survival list: one JSON document, or code 2 and the reason."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent / "scripts"
KEYS = {
    "schema", "workload", "verdict", "speedup", "aa", "plan", "payback_steps", "payback_seconds", "trials",
    "environment", "evidence",
}  # fmt: skip
CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script with its arguments, the transform of its plan, and the gate that ends its proof early, if one does."""

    script: str
    arguments: str = ""
    library: str = ""
    budget: str = "15s"
    stops_at: str = ""
    transform: str = "fused_optimizer"


NAMES = [
    Case(script="gan.py"),
    Case(script="lbfgs.py", stops_at="applies"),
    Case(script="short.py"),
    Case(script="pyg_gat.py", library="torch_geometric", budget="25s"),
]
SLOW = [
    Case(script="accumulation.py"),
    Case(script="grad_scaler.py"),
    Case(script="eval_checkpoint.py"),
    Case(script="loader_workers.py", arguments="--size 3200"),
    Case(script="loader_workers.py", arguments="--size 3200 --context spawn", budget="60s"),
    Case(script="beside/train.py"),
    Case(script="exits.py"),
    Case(script="unseeded.py"),
    Case(script="already_compiled.py"),
    Case(script="forks.py"),
    Case(script="prints_much.py"),
    Case(script="dropout_net.py"),
    Case(script="hf_trainer.py", library="transformers", budget="60s", stops_at="applies"),  # it asks for fused itself
    Case(script="hf_trainer.py", library="transformers", budget="60s", transform="autocast"),
    Case(script="hf_accelerate.py", library="accelerate", budget="60s"),
    Case(script="hf_gpt2.py", library="transformers", budget="60s"),
    Case(script="lightning_module.py", library="lightning", budget="60s"),
    Case(script="skorch_net.py", library="skorch", budget="60s"),
]


def called(case: Case) -> str:
    return f"{case.script} {case.arguments}".strip() + f" under {case.transform}"


def call(verb: str, case: Case, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One command on a copy of the script in a folder of its own; the folder is the same afterwards."""
    if case.library:
        pytest.importorskip(case.library)
    home = folder / "home"
    shutil.copytree((SCRIPTS / case.script).parent, home, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    (folder / "plan.toml").write_text(f'[[transform]]\nname = "{case.transform}"\n')
    name = Path(case.script).name
    common = ["--json", "--budget", case.budget, "--steps", "8"]
    done = subprocess.run(
        [sys.executable, "-m", "hotloop.cli.app", verb, name, *options, *common, "--", *case.arguments.split()],
        cwd=home,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HOTLOOP_HISTORY": f"sqlite:///{folder / 'history.db'}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    return done


def proven(case: Case, folder: Path) -> dict[str, Any]:
    """The one document on stdout; the code matches its verdict."""
    done = call("prove", case, folder, "--plan", str(folder / "plan.toml"))
    assert done.returncode in (0, 1, 3), done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert document.keys() >= KEYS
    assert (document["schema"], len(document["trials"])) == (2, 1)
    assert done.returncode == CODES[document["verdict"]]
    return document


def check(case: Case, folder: Path) -> None:
    """A sound plan trains the same model under every program; where it has nothing to act on that is said."""
    document = proven(case, folder)
    gates = {verdict["gate"]: verdict for verdict in document["trials"][0]["verdicts"]}
    if case.stops_at:
        assert document["verdict"] == "FAIL"
        assert "does not apply here" in gates[case.stops_at]["message"]
        return
    assert not [v["message"] for gate, v in gates.items() if gate != "speed" and v["outcome"] == "FAIL"]
    assert document["speedup"].keys() == {"ratio", "low", "high", "clock"}
    assert document["aa"].keys() >= {"ratio", "low", "high"}
    assert document["speedup"]["ratio"] > 0
    assert [table["name"] for table in document["plan"]] == [case.transform]


@pytest.mark.parametrize("case", NAMES, ids=called)
def test_a_plan_is_judged_on_an_ordinary_program(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW, ids=called)
def test_a_plan_is_judged_on_every_program_of_the_list(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


REFUSED = {
    "crashes.py": ["Traceback", "RuntimeError: the data ran out of patience at step 7", "crashes.py"],
    "exits.py --width 7": ["--width must be a multiple of 8, got 7", "left with sys.exit(2)"],
    "never_steps.py --sleep": ["did not make its first", "torch.optim.Optimizer", "never_steps.py"],
    "short.py --steps 8": ["ended after 8 steps", "train longer"],
}
LATE = {
    "dies.py": ["ended by signal SIGKILL", "step 12"],
    "hangs.py": ["steps and not the next", "step 10", "hangs.py"],
}


def refused(line: str, parts: list[str], folder: Path, *options: str) -> None:
    """Code 2, nothing on stdout, and the reason on stderr."""
    script, _, arguments = line.partition(" ")
    done = call(
        "prove", Case(script=script, arguments=arguments), folder, "--plan", str(folder / "plan.toml"), *options
    )
    assert done.returncode == 2, done.stderr[-3000:]
    assert done.stdout == ""
    assert not [part for part in parts if part not in done.stderr], done.stderr[-3000:]


@pytest.mark.parametrize("line", REFUSED)
def test_a_program_that_does_not_train_is_an_error_with_its_reason(line: str, tmp_path: Path) -> None:
    refused(line, REFUSED[line], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("line", LATE)
def test_a_program_that_stops_training_is_an_error_with_its_reason(line: str, tmp_path: Path) -> None:
    refused(line, LATE[line], tmp_path)


def test_a_program_that_writes_over_a_file_is_stopped_with_its_path(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    refused(f"overwrites.py --absolute {precious}", ["would write", str(precious), "existed before"], tmp_path)
    assert precious.read_text() == "precious"


def test_tune_finds_or_refuses_a_fused_optimizer(tmp_path: Path) -> None:
    done = call("tune", Case(script="exits.py", budget="30s"), tmp_path, "--only", "fused_optimizer")
    assert done.returncode in (0, 1, 3), done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert document.keys() >= KEYS
    assert done.returncode == CODES[document["verdict"]]
    assert {trial["change"].partition("(")[0] for trial in document["trials"]} <= {"fused_optimizer", "the whole plan"}
    assert all(trial["reason"] for trial in document["trials"])
