"""Scripts run with their steps captured: the same numbers as plainly, and the plain statements where a guard fails."""

import runpy
import signal
import sys
import textwrap
import traceback
from pathlib import Path

import pytest
import torch

from hotloop.compile.loop.listeners import listeners
from hotloop.compile.loop.load import LoopLoader

PROGRAMS = Path(__file__).parents[2] / "programs" / "loops"
REFUSED = {
    "accumulation": "value from the device",  # the average of the weights asks whether it is its first
    "lstm_lm": "its graph cannot run",  # torch's recurrent operator keeps a workspace that no trace has
}
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))

HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
xs, ys = torch.randn(40, 8, 4), torch.randn(40, 8, 1)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
seen = []
"""
STEP = """
    optimizer.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    optimizer.step()
    seen.append(loss.item())
"""


def captured(path: Path):
    """The script's names and its regions, after it was run with captured steps (operation by operation)."""
    loader = LoopLoader(backend="aten")
    names = {"__name__": "__main__", "__file__": str(path)}
    with loader.loading():
        exec(loader.code_of(path), names)
    return names, loader.regions


def script(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def same(one: dict, other: dict) -> bool:
    pairs = zip(one["model"].state_dict().values(), other["model"].state_dict().values(), strict=True)
    return one["seen"] == pytest.approx(other["seen"], rel=1e-4) and all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in pairs
    )


def both(folder: Path, text: str):
    path = script(folder, text)
    plain = runpy.run_path(str(path), run_name="__main__")
    ours, regions = captured(path)
    assert same(plain, ours)
    (region,) = regions.all
    return region


@pytest.mark.parametrize("name", NAMES)
def test_ordinary_scripts_print_what_they_print_plainly(name, capsys):
    runpy.run_path(str(PROGRAMS / f"{name}.py"), run_name="__main__")
    plain = capsys.readouterr().out
    _, regions = captured(PROGRAMS / f"{name}.py")
    assert capsys.readouterr().out == plain
    (region,) = regions.all
    if name in REFUSED:
        assert REFUSED[name] in region.refused.reason
    else:
        assert region.refused is None
        assert region.counts.captured > 0.5 * region.counts.calls


def test_a_plain_loop_is_captured_after_its_first_steps(tmp_path):
    region = both(tmp_path, HEAD + "for x, y in zip(xs, ys):" + STEP)
    assert (region.counts.calls, region.counts.captured, region.refused) == (40, 36, None)


def test_dropout_draws_what_the_plain_program_draws(tmp_path):
    text = HEAD.replace("nn.ReLU()", "nn.Dropout(0.3)") + "for x, y in zip(xs, ys):" + STEP
    assert both(tmp_path, text + "    torch.rand(2)\n").counts.captured == 36


@pytest.mark.parametrize(
    "change",
    [
        "model[0].weight.requires_grad_(False)",
        "model.eval()",
        "model[1] = nn.Tanh()",
        "optimizer.param_groups[0]['weight_decay'] = 0.5",
        "optimizer.param_groups[0]['lr'] = 0.001",
        "model[0].weight.data = model[0].weight.data * 2",
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
        "model.double(); optimizer = torch.optim.Adam(model.parameters(), lr=0.01)",
        "scale = 3.0",
        "config['factor'] = 0.1",
    ],
)
def test_what_changes_between_steps_is_seen(change, tmp_path):
    step = STEP.replace("mean()", "mean() * scale * config['factor']")
    text = HEAD + "scale, config = 1.0, {'factor': 2.0}\nfor n, (x, y) in enumerate(zip(xs, ys)):\n    if n == 20:\n"
    text += "".join(f"        {part.strip()}\n" for part in change.split(";"))
    region = both(tmp_path, text + "    x, y = x.to(model[0].weight.dtype), y.to(model[0].weight.dtype)" + step)
    assert region.counts.captured >= 12


def test_a_number_that_changes_in_each_step_is_an_input(tmp_path):
    text = (
        HEAD + "for n, (x, y) in enumerate(zip(xs, ys)):\n    beta = n / 40" + STEP.replace("mean()", "mean() * beta")
    )
    assert both(tmp_path, text).counts.captured >= 30


def test_a_counter_in_the_forward_refuses(tmp_path):
    net = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    net += "        self.inner, self.calls = nn.Linear(4, 1), 0\n"
    net += "    def forward(self, x):\n        self.calls += 1\n        return self.inner(x) * (1 + 0.1 * self.calls)\n"
    text = HEAD.replace("model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))", net + "model = Net()")
    region = both(tmp_path, text + "for x, y in zip(xs, ys):" + STEP)
    assert region.counts.captured == 0
    assert "calls" in region.refused.reason


def test_a_branch_on_a_tensor_refuses_with_its_line(tmp_path):
    step = STEP.replace("    loss.backward()", "    if loss > 0.5:\n        loss = loss * 2\n    loss.backward()")
    region = both(tmp_path, HEAD + "for x, y in zip(xs, ys):" + step)
    assert "at line 12" in region.refused.reason


def test_what_is_read_before_it_is_updated_is_not_moved_behind(tmp_path):
    step = STEP.replace("    loss.backward()", "    print(model[0].weight.sum().item())\n    loss.backward()")
    region = both(tmp_path, HEAD + "for x, y in zip(xs, ys):" + step)
    assert "line 12 reads a Sequential" in region.refused.reason


def test_a_hook_of_the_program_refuses(tmp_path):
    text = (
        HEAD + "calls = []\nmodel[0].register_forward_hook(lambda *_: calls.append(1))\nfor x, y in zip(xs, ys):" + STEP
    )
    assert "hook" in both(tmp_path, text).refused.reason


def test_a_smaller_last_batch_runs_plainly(tmp_path):
    text = HEAD + "for n, (x, y) in enumerate(zip(xs, ys)):\n    if n == 25:\n        x, y = x[:3], y[:3]" + STEP
    region = both(tmp_path, text)
    assert (region.counts.misses, region.refused) == (2, None)


def test_another_form_of_a_parameter_at_the_same_address_is_seen(tmp_path):
    text = HEAD.replace("4, 8), nn.ReLU(), nn.Linear(8, 1)", "4, 4), nn.ReLU(), nn.Linear(4, 1)")
    text = text.replace("Adam", "SGD") + "for n, (x, y) in enumerate(zip(xs, ys)):\n    if n == 20:\n"
    region = both(tmp_path, text + "        model[0].weight.data = model[0].weight.data.T" + STEP)
    assert region.counts.misses > 1


@pytest.mark.parametrize(
    "change",
    [
        "Net.scaled = lambda self, x: 0.5 * x",
        "model.gain = 0.5",
        "model.forward = lambda x: model.inner(x) * 0.5",
        "Net.half = property(lambda self: 0.1)",
    ],
)
def test_what_an_object_takes_from_its_class_is_guarded(change, tmp_path):
    net = "class Net(nn.Module):\n    gain = 1.0\n    half = property(lambda self: 0.5)\n    def __init__(self):\n"
    net += "        super().__init__()\n        self.inner = nn.Linear(4, 1)\n"
    net += "    def scaled(self, x):\n        return x * self.gain * self.half\n"
    net += "    def forward(self, x):\n        return self.scaled(self.inner(x))\n"
    text = HEAD.replace("model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))", net + "model = Net()")
    region = both(
        tmp_path, text + f"for n, (x, y) in enumerate(zip(xs, ys)):\n    if n == 20:\n        {change}" + STEP
    )
    assert region.counts.captured >= 12


def test_callbacks_of_the_collector_are_no_part_of_a_step(tmp_path):
    text = "import gc\nfound = 0\ndef count(*_):\n    global found\n    found += 1\n" + HEAD
    text += "gc.callbacks.append(count)\nthresholds = gc.get_threshold()\ngc.set_threshold(5)\n"
    text += "for x, y in zip(xs, ys):" + STEP + "gc.callbacks.remove(count)\ngc.set_threshold(*thresholds)\n"
    region = both(tmp_path, text)
    assert (region.counts.captured, region.refused) == (36, None)


def test_gradients_are_summed_as_written(tmp_path):
    step = "\n    loss = (model(x) - y).square().mean()\n    loss.backward()\n    if n % 4 == 3:\n"
    step += "        optimizer.step()\n        optimizer.zero_grad()\n    seen.append(loss.item())\n"
    assert both(tmp_path, HEAD + "for n, (x, y) in enumerate(zip(xs, ys)):" + step).counts.captured > 5


def test_under_a_debugger_the_statements_run(tmp_path):
    path = script(tmp_path, HEAD + "for x, y in zip(xs, ys):" + STEP)
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        _, regions = captured(path)
    finally:
        sys.settrace(before)
    assert regions.all[0].counts.captured == 0


def test_an_error_in_a_captured_step_points_at_the_line(tmp_path):
    text = HEAD.replace("nn.Linear(4, 8)", "nn.Embedding(5, 8)").replace(
        "xs, ys =", "xs, ys = torch.randint(0, 5, (40, 8)), torch.randn(40, 8, 1)\n_ ="
    )
    path = script(tmp_path, text + "xs[30] = 7\nfor x, y in zip(xs, ys):" + STEP)
    with pytest.raises((IndexError, RuntimeError)) as caught:
        captured(path)
    lines = [frame.lineno for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == str(path)]
    wanted = 1 + path.read_text(encoding="utf-8").splitlines().index("    loss = (model(x) - y).square().mean()")
    assert lines[-1] == wanted


@pytest.fixture
def python_ctrl_c():
    """Python's own handler: a shell starts what it runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_ctrl_c")
def test_ctrl_c_is_raised_behind_a_captured_step(tmp_path):
    path = script(tmp_path, HEAD + "for x, y in zip(xs, ys):" + STEP)
    loader = LoopLoader(backend="aten")
    code, names, told = loader.code_of(path), {"__name__": "__main__"}, []

    def on_loss(_loss):
        told.append(True)
        if len(told) == 10:  # parameters are updated, and the step is not over
            signal.raise_signal(signal.SIGINT)

    with loader.loading(), listeners.told(on_loss, None), pytest.raises(KeyboardInterrupt):
        exec(code, names)
    assert len(told) == 10
    steps = {int(state["step"]) for state in names["optimizer"].state.values()}
    assert steps == {len(names["seen"]) + 1}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_model_that_the_program_drops_is_freed_and_the_next_one_is_captured(tmp_path):
    text = """
    import gc, weakref
    import torch
    from torch import nn

    def fold(seed):
        torch.manual_seed(seed)
        model = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(30):
            x = torch.randn(8, 4)
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
        return weakref.ref(model), weakref.ref(optimizer), loss.item()

    folds = [fold(seed) for seed in range(4)]
    gc.collect()
    """
    path = script(tmp_path, text)
    plain = runpy.run_path(str(path), run_name="__main__")["folds"]
    names, regions = captured(path)
    assert [loss for *_, loss in names["folds"]] == pytest.approx([loss for *_, loss in plain], rel=1e-4)
    assert all(model() is None and optimizer() is None for model, optimizer, _ in names["folds"])
    assert regions.all[0].counts.captured >= 4 * 15
