"""Watched worker processes, seen from outside."""

import pytest

from hotloop.transform import Plan
from hotloop.worker.observation import NotFollowed, watch
from hotloop.worker.process import Settings
from hotloop.worker.spec import ObservationSpec
from hotloop.workload import parse_workload

START = """
import torch
from torch import nn
torch.manual_seed(0)
"""
LOOP = """
for _ in range(8):
    loss = nn.functional.mse_loss(net(torch.randn(4, 3)), torch.zeros(4, 2))
    for optimizer in optimizers: optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers: optimizer.step()
"""


@pytest.fixture
def observe(tmp_path):
    """The observation of a program that is given as text."""
    folder = tmp_path / "program"
    folder.mkdir()

    def run(text, **order):
        (folder / "train.py").write_text(text)
        workload = parse_workload("train.py", (), folder=folder)
        return watch(workload, [(Plan(), ObservationSpec(steps=20, **order))], Settings(folder=tmp_path))[0]

    return run


def test_two_optimizers_a_tensor_without_a_module_and_a_grown_group_are_followed_by_name(observe):
    seen = observe(
        START
        + """
net, scale = nn.Linear(3, 2), torch.ones(2, requires_grad=True)
optimizers = [torch.optim.SGD([net.weight], lr=0.1, momentum=0.5), torch.optim.Adam([scale])]
for step in range(6):
    loss = (net(torch.randn(4, 3)) * scale).square().mean()
    for optimizer in optimizers: optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers: optimizer.step()
    if step == 2: optimizers[0].add_param_group({"params": [net.bias], "lr": 0.2})
"""
    )
    first, second = seen.optimizers
    assert first.names == ("0.weight", "0.bias")
    assert second.names == ("optimizer 1, group 0, tensor 0",)
    assert [row[1] > 0 for row in first.updates] == [False] * 3 + [True] * 3
    assert first.gradients[0][1] == -1
    assert seen.settings["optimizer 0, group 0", "momentum"] == ((1, 0.5),)
    assert seen.settings["optimizer 0, group 1", "lr"][0][1] == 0.2


def test_gradients_are_read_after_clipping_and_its_limit_and_norm_are_kept(observe):
    clipped = LOOP.replace("    for optimizer in optimizers: optimizer.step()", "    CLIP\n    optimizers[0].step()")
    clipped = clipped.replace("CLIP", "nn.utils.clip_grad_norm_(net.parameters(), 1e-3)")
    seen = observe(START + "net = nn.Linear(3, 2)\noptimizers = [torch.optim.SGD(net.parameters(), lr=0.1)]" + clipped)
    sizes = [sum(norm**2 for norm in row) ** 0.5 for row in seen.optimizers[0].gradients]
    assert sizes == pytest.approx([1e-3] * 8, rel=1e-2)
    assert [(one.step, one.kind, one.limit) for one in seen.clippings] == [(n, "norm", 1e-3) for n in range(1, 9)]
    assert all(one.norm > 0.1 for one in seen.clippings)


def test_a_closure_computes_the_gradients_of_its_own_step(observe):
    seen = observe(
        START
        + """
net, data = nn.Linear(3, 2), torch.randn(4, 3)
optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)
def closure():
    optimizer.zero_grad()
    loss = net(data).square().mean()
    loss.backward()
    return loss
for _ in range(6): optimizer.step(closure)
"""
    )
    assert all(norm > 0 for norm in seen.optimizers[0].gradients[0])


def test_gradients_of_a_closure_are_read_before_the_step_changes_them(observe):
    """SGD with Nesterov's momentum adds it to the gradients in place where it takes all tensors at once."""
    text = (
        START
        + """
net, data = nn.Linear(3, 2), torch.randn(4, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.8, nesterov=True, foreach=FOREACH)
def closure():
    optimizer.zero_grad()
    loss = net(data).square().mean()
    loss.backward()
    return loss
for _ in range(6): optimizer.step(closure=closure)
"""
    )
    plain, foreach = (observe(text.replace("FOREACH", value)).optimizers[0] for value in ("False", "True"))
    assert plain.gradients == foreach.gradients
    assert plain.updates == foreach.updates


def test_watching_changes_no_loss(observe):
    text = START + "net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))\n"
    text += "optimizers = [torch.optim.SGD(net.parameters(), lr=0.1)]" + LOOP
    assert observe(text).losses == observe(text, losses_only=True).losses


def test_an_error_of_the_watching_is_not_told_as_the_program_s(observe):
    text = START + "net = nn.Linear(3, 2)\noptimizers = [torch.optim.SGD(net.parameters(), lr=0.1)]\n"
    with pytest.raises(NotFollowed, match="hotloop's own error: TypeError"):
        observe(text + "torch.Generator = None" + LOOP)


def test_a_program_that_seeds_itself_from_the_system_repeats_itself(observe):
    text = "import torch\nfrom torch import nn\ntorch.seed()\nnet = nn.Linear(3, 2)\n"
    text += "optimizers = [torch.optim.SGD(net.parameters(), lr=0.1)]" + LOOP
    assert observe(text, seed=0).losses == observe(text, seed=0).losses


def test_a_tensor_that_takes_the_place_of_one_that_is_gone_is_followed_by_itself(observe):
    seen = observe(
        START
        + """
net = nn.Linear(3, 2)
grown = nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([{"params": list(net.parameters())}, {"params": [grown]}], lr=0.1)
for size in (2, 1, 2, 1, 2):
    loss = (net(torch.randn(4, 3)) * grown).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    del optimizer.param_groups[1], loss
    optimizer.state.pop(grown, None)
    grown = None  # its memory and its id are free for the next
    grown = nn.Parameter(torch.ones(3 - size))
    optimizer.add_param_group({"params": [grown]})
"""
    )
    (steps,) = seen.optimizers
    assert len(steps.updates) == 5
    moved = [sum(update > 0 for update in row[2:]) for row in steps.updates]
    assert moved == [1] * 5
