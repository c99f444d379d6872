"""`hotloop run` trains for real: the user's own folder, arguments, output and exit code."""

import re
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
import torch

torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
for step in range(15):
    optimizer.zero_grad()
    model(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()
Path("trained.txt").write_text(f"{' '.join(sys.argv[1:])} fused={optimizer.defaults['fused']} {__file__}")
print("trained")
if "--fail" in sys.argv:
    sys.exit(7)
if "--raise" in sys.argv:
    raise RuntimeError("no more patience")
"""
OTHER_SHAPE = """
import torch

class OtherShape(torch.nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y if y.dtype is torch.float32 else y[:1]

model = OtherShape(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(2):
    model(torch.ones(2, 4)).mean().backward()
    optimizer.step()
print("trained")
"""
DIFFERENTIATES_TWICE = """
import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.ones(2, 4, requires_grad=True)
for step in range(4000):
    (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    optimizer.step()
"""
FUSED = '[[transform]]\nname = "fused_optimizer"\n'


@pytest.fixture(autouse=True)
def program(home: Path, hotloop: object) -> None:
    (home / "train.py").write_text(PROGRAM)
    (home / "plan.toml").write_text(FUSED)
    (home / "loading.toml").write_text(FUSED + '[[transform]]\nname = "data_loading"\n')


def test_it_trains_in_the_users_folder_under_the_plan(hotloop, home: Path) -> None:
    done = hotloop("run", "train.py", "--plan", "plan.toml", "--", "--epochs", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained\n"
    assert (home / "trained.txt").read_text() == f"--epochs 3 fused=True {home / 'train.py'}"
    assert "hotloop: 15 steps under fused_optimizer" in done.stderr
    assert "does not apply" not in done.stderr


def test_the_exit_code_is_the_scripts_own(hotloop) -> None:
    assert hotloop("run", "train.py", "--plan", "plan.toml", "--", "--fail").returncode == 7


def test_a_crash_looks_as_it_would_without(hotloop) -> None:
    done = hotloop("run", "train.py", "--plan", "plan.toml", "--", "--raise")
    assert done.returncode == 1
    assert "RuntimeError: no more patience" in done.stderr


def test_a_crash_that_is_a_limit_of_the_plan_says_which_transform_to_leave_out(hotloop, home: Path) -> None:
    (home / "train.py").write_text(DIFFERENTIATES_TWICE)
    (home / "compiled.toml").write_text('[[transform]]\nname = "compile"\nbackend = "aot_eager"\n')
    done = hotloop("run", "train.py", "--plan", "compiled.toml")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("(create_graph=True); leave it out of the plan")
    proven = hotloop("prove", "train.py", "--plan", "compiled.toml", "--budget", "1m")
    assert proven.returncode == 1
    assert "does not apply here: compile: torch.compile does not do" in " ".join(proven.stdout.split())


def test_a_transform_that_meets_nothing_is_a_warning(hotloop) -> None:
    done = hotloop("run", "train.py", "--plan", "loading.toml")
    assert done.returncode == 0, done.stderr
    assert "data_loading of the plan does not apply" in done.stderr
    assert done.stdout == "trained\n"


def test_a_plan_that_changes_what_a_model_computes_is_reported_and_stops_a_strict_run(hotloop, home: Path) -> None:
    (home / "autocast.toml").write_text('[[transform]]\nname = "autocast"\n')
    (home / "train.py").write_text(OTHER_SHAPE)
    loose = hotloop("run", "train.py", "--plan", "autocast.toml")
    assert loose.returncode == 0, loose.stderr
    assert "hotloop: step 1: OtherShape in training: returns " in loose.stderr
    assert re.search(r"1 spot checks in \d+\.\d% of the time, 1 failed", loose.stderr)
    strict = hotloop("run", "train.py", "--plan", "autocast.toml", "--strict")
    assert strict.returncode == 1
    assert "trained" not in strict.stdout
