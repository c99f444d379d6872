"""A plan, and a captured step, in a loop of one's own."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import hotloop
from hotloop.errors import NotApplicable

FUSED = {"name": "fused_optimizer"}
AUTOCAST = {"name": "autocast"}


def plan(*tables):
    return hotloop.Plan.from_data(list(tables))


@pytest.fixture
def parts():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.AdamW(
        [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 1e-4}], lr=1e-3
    )
    return model, optimizer


def cross_entropy(model, batch):
    inputs, classes = batch
    return F.cross_entropy(model(inputs), classes)


def batches(count=6):
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(32, 16, generator=generator), torch.randint(4, (32,), generator=generator)) for _ in range(count)
    ]


def test_a_plan_changes_every_group_and_the_model(parts):
    model, optimizer = parts
    started = hotloop.apply(plan(FUSED, AUTOCAST), model, optimizer)
    assert started.applied == {"fused_optimizer": 2, "autocast": 1}
    assert [group["fused"] for group in optimizer.param_groups] == [True, True]
    seen = []
    model[0].register_forward_hook(lambda _module, _args, output: seen.append(output.dtype))
    loss = cross_entropy(model, batches(1)[0])
    loss.backward()
    optimizer.step()
    assert seen == [torch.bfloat16]
    assert loss.dtype is torch.float32
    assert not started.not_applied()


def test_what_changes_nothing_is_an_error_with_the_reason(parts):
    model, optimizer = parts
    with pytest.raises(NotApplicable, match="allocator: it acts before the process starts: start the program by"):
        hotloop.apply(plan({"name": "allocator", "library": "glibc"}, FUSED), model, optimizer)
    with pytest.raises(NotApplicable, match="fused_optimizer: no optimizer was given"):
        hotloop.apply(plan(FUSED), model)


def test_part_of_a_plan_is_allowed_where_it_is_asked_for(parts):
    model, optimizer = parts
    tables = [{"name": "data_loading", "workers": 1}, FUSED, {"name": "whole_step"}]
    started = hotloop.apply(plan(*tables), model, optimizer, allow_partial=True)
    assert started.applied["fused_optimizer"] == 2
    assert started.refused.keys() == {"data_loading", "whole_step"}
    assert "hotloop.compile_step" in started.refused["whole_step"]


def test_a_captured_step_trains_as_the_loop_does(parts):
    model, optimizer = parts
    twin = copy.deepcopy(model)
    twin_optimizer = torch.optim.AdamW(
        [{"params": twin[0].parameters()}, {"params": twin[2].parameters(), "lr": 1e-4}], lr=1e-3
    )
    step = hotloop.compile_step(model, optimizer, cross_entropy, clip_norm=0.5)
    for batch in batches():
        expected = cross_entropy(twin, batch)
        twin_optimizer.zero_grad()
        expected.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
        twin_optimizer.step()
        found = step(batch)
        assert not found.requires_grad
        torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_an_optimizer_that_cannot_be_captured_is_refused(parts):
    model, _ = parts
    with pytest.raises(NotApplicable):
        hotloop.compile_step(model, torch.optim.LBFGS(model.parameters()), cross_entropy)
