"""Spies in this process, on a step or two."""

import copy
import pickle

import pytest
import torch
from torch import nn

from hotloop.diagnose.probes.gradients import Gradients
from hotloop.diagnose.probes.memory import Memory
from hotloop.diagnose.probes.modules import Modules
from hotloop.diagnose.probes.operators import Operators
from hotloop.diagnose.probes.phases import Phases
from hotloop.diagnose.trace_context import StepTime

STEP = StepTime(seconds=1.0, shares={"forward": 0.4, "backward": 0.4, "optimizer": 0.2})


def report(spy, step, times=2):
    spy.open()
    for _ in range(times):
        step()
        spy.step()
    spy.close()
    return spy.report(STEP)


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.large = nn.Sequential(nn.Linear(256, 1024), nn.Tanh(), nn.Linear(1024, 256))
        self.small = nn.Linear(256, 1)

    def forward(self, x):
        return self.small(self.large(x))


@pytest.fixture
def training(scene):
    """A model, and a function that makes one step of it under the hooks of phases."""
    model = Blocks()
    scene.roots.append(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    x = torch.randn(64, 256)

    def step():
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    with Phases(scene).installed():
        step()
        yield model, step


def test_modules_share_forward_and_backward_between_them(scene, training):
    rows = {row["name"]: row for row in report(Modules(scene), training[1]).data}
    assert sum(row["self_share"] for row in rows.values()) == pytest.approx(0.8)
    assert rows["Blocks"]["share"] == pytest.approx(0.8)
    assert rows["Blocks.large"]["share"] > rows["Blocks.small"]["share"] > 0
    assert rows["Blocks.large.0"]["calls"] == 1


def test_no_hook_stays_behind_when_the_windows_have_closed(scene, training):
    model, step = training
    for spy in (Modules(scene), Memory(scene)):
        report(spy, step)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_model_under_hooks_can_be_copied_and_pickled(scene, training):
    model, step = training
    phases = Phases(scene)
    phases.root(model)
    spies = Modules(scene), Memory(scene)
    for spy in spies:
        spy.open()
    step()
    twin = copy.deepcopy(model)
    again = pickle.loads(pickle.dumps(model))
    for spy in reversed(spies):
        spy.close()
    x = torch.randn(2, 256)
    assert torch.equal(twin(x), model(x))
    assert torch.equal(again(x), model(x))


def test_the_peak_of_memory_has_an_owner_and_counts_the_weights(scene, training):
    data = report(Memory(scene), training[1], times=1).data
    weights = sum(p.numel() * p.element_size() for p in training[0].parameters())
    assert data["peak"] > data["standing"] >= weights
    assert data["path"] == __file__


def test_operators_are_counted_and_many_small_ones_are_a_finding(scene):
    values = torch.ones(8)
    found = report(Operators(scene), lambda: [values.mul(2.0) for _ in range(300)])
    assert found.data["per_step"] == 300
    small = [f for f in found.findings if f.code == "CO06"]
    assert small == []  # 300 calls are next to nothing of a second
    fast = Operators(scene)
    fast.open()
    _ = [values.mul(2.0) for _ in range(300)]
    fast.step()
    fast.close()
    (finding,) = fast.report(StepTime(seconds=1e-4)).findings
    assert (finding.code, finding.transform, finding.per_step) == ("CO06", "compile", 300)


def test_a_list_that_is_concatenated_once_is_no_growing_tensor(scene):
    pieces = [torch.ones(4) for _ in range(10)]
    assert report(Operators(scene), lambda: torch.cat(pieces)).findings == []


def test_casts_of_one_weight_twice_a_step_are_told(scene):
    weight = nn.Parameter(torch.ones(512, 512))

    def step():
        for _ in range(2):
            weight.to(torch.bfloat16)

    spy = Operators(scene)
    spy.open()
    for _ in range(3):
        step()
        spy.step()
    spy.close()
    (finding,) = spy.report(StepTime(seconds=1e-4)).findings
    assert finding.code == "OP08"


@pytest.mark.parametrize(("gradient", "code"), [(float("nan"), "OP05"), (0.0, "OP05"), (None, "OP07"), (1.0, None)])
def test_sick_gradients_are_told(scene, training, gradient, code):
    weight = nn.Parameter(torch.ones(3))
    weight.grad = None if gradient is None else torch.full((3,), gradient)
    step = torch.optim.SGD([weight], lr=0.1).step
    assert [f.code for f in report(Gradients(scene), step).findings] == ([] if code is None else [code])


def test_a_gradient_that_explodes_from_one_batch_to_the_next_is_told(scene, training):
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.0)

    def step():
        weight.grad = torch.ones(3) if weight.grad is None else 1e4 * weight.grad
        optimizer.step()

    assert [f.code for f in report(Gradients(scene), step).findings] == ["OP03"]
