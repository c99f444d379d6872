"""Optimizers built with fused=True."""

import pytest
import torch

from hotloop.transforms.fused_optimizer import FusedOptimizer


def test_the_fused_flag_survives_a_checkpoint_of_the_plain_run(under, mlp):
    checkpoint = torch.optim.AdamW(mlp.parameters()).state_dict()
    _, hooks = under(FusedOptimizer())
    with hooks:
        optimizer = torch.optim.AdamW(mlp.parameters())
        optimizer.load_state_dict(checkpoint)
    assert [group["fused"] for group in optimizer.param_groups] == [True]
    assert not any(group["foreach"] for group in optimizer.param_groups)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (torch.optim.Rprop, "torch has no fused Rprop"),
        (lambda p: torch.optim.AdamW(p, fused=True), "itself asks for a fused"),
        (lambda p: torch.optim.AdamW(p, differentiable=True), "differentiable AdamW cannot be fused"),
    ],
)
def test_an_optimizer_that_cannot_be_fused_is_left_alone(under, mlp, build, words):
    started, hooks = under(FusedOptimizer())
    with hooks:
        build(mlp.parameters())
    assert words in started.refused["fused_optimizer"]
