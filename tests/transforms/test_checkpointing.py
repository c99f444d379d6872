"""Activation checkpointing as a transform."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from hotloop.errors import NotApplicable
from hotloop.transform import Plan, Promise
from hotloop.transforms import checkpointing
from hotloop.transforms.checkpointing import Checkpointing
from hotloop.transforms.compile import Compile
from hotloop.verdict import Outcome
from hotloop.verify.equivalence import check_equivalence
from hotloop.workloads.started_plan import start_with_job


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(checkpointing, "applied", [])


@pytest.fixture
def tower() -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(4)]
    return nn.Sequential(nn.Linear(4, 4), *blocks, nn.Linear(4, 2))


@pytest.mark.parametrize(("every", "calls"), [(1, 7), (2, 3), (4, 1)])
def test_each_nth_block_is_recomputed(under, tower, every, calls):
    started, hooks = under(Checkpointing(every=every))
    with hooks:
        for _ in range(2):
            tower(torch.randn(3, 4)).sum().backward()
    assert sum(around.calls for around in checkpointing.applied) == calls
    assert started.not_applied() == {}


def test_a_model_without_repeated_blocks_is_refused(under, mlp):
    started, hooks = under(Checkpointing())
    with hooks:
        mlp(torch.randn(3, 4))
    assert "no block of layers is there 2 times" in started.refused["checkpointing"]


def test_a_block_that_cannot_be_recomputed_refuses_the_plan(under, tower):
    for block in tower[1:5]:
        block[0], block[1] = nn.ReLU(inplace=True), nn.Linear(4, 4)
    started, hooks = under(Checkpointing())
    with hooks:
        tower(torch.randn(3, 4)).sum().backward()
    assert "changes its input 0 in place" in started.not_applied()["checkpointing"]


def test_a_compiled_model_is_left_to_its_memory_budget(under, tower):
    started, hooks = under(Compile(backend="eager"), Checkpointing())
    with hooks:
        tower(torch.randn(3, 4))
    assert "the whole model is compiled" in started.refused["checkpointing"]


def test_what_was_never_called_with_gradients_was_not_applied():
    with pytest.raises(NotApplicable, match="no block was called a second time"):
        Checkpointing().confirm()


@pytest.mark.parametrize("keep", ["nothing", "products"])
def test_the_step_gate_accepts_it_as_exact(keep):
    build = runpy.run_path(str(Path(__file__).parents[1] / "recipes" / "gpt.py"))["build"]
    plan = Plan((Checkpointing(keep=keep),))
    verdict = check_equivalence(
        lambda: build(0), lambda job: start_with_job(plan, job), promise=Promise.EXACT, roundoff=0.0
    )
    assert verdict.outcome is Outcome.PASS, verdict
    assert any(around.calls for around in checkpointing.applied)
