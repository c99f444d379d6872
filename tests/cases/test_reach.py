"""`hotloop run` of programs that make many models, save whole ones, resume and return what they like."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "src"
AUTOCAST, FUSED, CHANNELS_LAST = (
    f'[[transform]]\nname = "{n}"\n' for n in ("autocast", "fused_optimizer", "channels_last")
)
LOADING = '[[transform]]\nname = "data_loading"\nworkers = 2\n'

FOR_SO_MANY_STEPS = """
import runpy, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if not left:
        sys.exit()
register_optimizer_step_post_hook(count)
runpy.run_path(sys.argv[1], run_name="__main__")
"""

LOAD = """
import sys, torch
from torch import nn
assert not any("hotloop" in name for name in sys.modules)

class Net(nn.Module):
    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))

how, path = sys.argv[1:]
if how == "pickle":
    net = torch.load(path, weights_only=False)
elif how == "export":
    net = torch.export.load(path).module()
else:
    net = torch.jit.load(path)
torch.manual_seed(1)
x = torch.randn(3, 256)
with torch.no_grad():
    y = net(x)
state = net.state_dict()
logits = torch.relu(torch.relu(x @ state["a.weight"].T + state["a.bias"]) @ state["b.weight"].T + state["b.bias"])
logits = logits @ state["c.weight"].T + state["c.bias"]
assert y.dtype is torch.float32, y.dtype
assert all(value.dtype is torch.float32 and value.is_contiguous() for value in state.values())
assert torch.allclose(y, logits, atol=1e-5), (y - logits).abs().max()
print("loaded")
"""


@pytest.fixture
def train(tmp_path):
    """Trains a program of this folder for real, under a plan or (None) as it is: what it printed on both streams."""

    def run(plan: str | None, program: str, *arguments: str) -> tuple[str, str]:
        (tmp_path / "plan.toml").write_text(plan or "")
        target = str(HERE / program) if "/" not in program else program
        call = [sys.executable, target, *arguments]
        if plan is not None:
            call = [sys.executable, "-m", "hotloop", "run", target, "--plan", "plan.toml", "--", *arguments]
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCES), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    return run


def load(folder: Path, how: str, name: str) -> str:
    """Loads what was saved in a process that does not know hotloop."""
    (folder / "load.py").write_text(LOAD)
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    call = [sys.executable, "load.py", how, name]
    done = subprocess.run(call, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_five_models_one_after_another_all_get_the_plan(train):
    _, said = train(AUTOCAST + FUSED, "kfold.py")
    assert "fused_optimizer on 5 of 5 optimizers, autocast on 5 of 5 models" in said
    assert "does not apply" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "name"),
    [("pickle", "whole.pt"), ("script", "scripted.pt"), ("trace", "traced.pt"), ("export", "exported.pt2")],
)
def test_a_model_that_is_saved_whole_is_the_plain_one(train, tmp_path, how, name):
    printed, said = train(AUTOCAST + FUSED, "save_whole.py", how)
    assert f"saved {how}" in printed
    assert b"hotloop" not in (tmp_path / name).read_bytes()
    assert load(tmp_path, how, name) == "loaded\n"
    assert "autocast on 1 of 1 model" in said


@pytest.mark.slow
def test_a_dataclass_comes_back_in_fp32(train):
    printed, said = train(AUTOCAST + FUSED, "dataclass_out.py")
    assert printed.count("torch.float32 accuracy") == 4
    assert "autocast on 1 of 1 model" in said


@pytest.mark.slow
def test_both_networks_and_both_optimizers_of_a_gan_get_the_plan(train, tmp_path):
    (tmp_path / "limited.py").write_text(FOR_SO_MANY_STEPS)
    _, said = train(AUTOCAST + FUSED, str(tmp_path / "limited.py"), str(HERE / "gan.py"), "60")
    assert "fused_optimizer on 2 of 2 optimizers, autocast on 2 of 2 models" in said


@pytest.mark.slow
def test_the_average_gets_the_plan_too(train):
    _, said = train(AUTOCAST + FUSED, "ema.py")
    assert "autocast on 2 of 2 models" in said


@pytest.mark.slow
def test_lazy_layers_get_the_plan_when_they_have_their_parameters(train):
    printed, said = train(AUTOCAST + FUSED + CHANNELS_LAST, "lazy.py")
    assert printed.startswith("0 ")
    assert "autocast on 1 of 1 model, channels_last on 1 of 1 model" in said


def weights(printed: str) -> list[float]:
    """Norm and sum of the final weights."""
    (line,) = [line for line in printed.splitlines() if line.startswith("weights")]
    return [float(word) for word in line.split()[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [FUSED + CHANNELS_LAST, None], ids=["plain to plan", "plan to plain"])
def test_a_run_that_resumes_across_the_plan_ends_where_the_plain_one_does(train, tmp_path, resumed):
    first = None if resumed else FUSED + CHANNELS_LAST
    train(None, "resume_layout.py", "20", "save")
    expected, _ = train(None, "resume_layout.py", "20")
    (tmp_path / "last.pt").unlink()
    train(first, "resume_layout.py", "20", "save")
    found, _ = train(resumed, "resume_layout.py", "20")
    assert "resumed" in found
    assert weights(found) == pytest.approx(weights(expected), rel=1e-3, abs=1e-2)


@pytest.mark.slow
def test_a_data_set_that_is_changed_between_epochs_is_seen_as_changed_by_the_workers(train):
    plain, _ = train(None, "stale_workers.py")
    planned, said = train(LOADING, "stale_workers.py")
    assert planned == plain
    assert "data_loading on 1 of 1 loader" in said
