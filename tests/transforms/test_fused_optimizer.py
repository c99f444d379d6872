"""Optimizers built with fused=True."""

import pytest
import torch

from hotloop.transforms.fused_optimizer import FusedOptimizer, called


def test_the_fused_flag_survives_a_checkpoint_of_the_plain_run(under, mlp):
    checkpoint = torch.optim.AdamW(mlp.parameters()).state_dict()
    _, hooks = under(FusedOptimizer())
    with hooks:
        optimizer = torch.optim.AdamW(mlp.parameters())
        optimizer.load_state_dict(checkpoint)
    assert [group["fused"] for group in optimizer.param_groups] == [True]
    assert not any(group["foreach"] for group in optimizer.param_groups)


@pytest.mark.parametrize("how", ["tensors", "generator", "groups", "named"])
def test_complex_parameters_refuse_fused_however_they_are_given(under, how):
    weight, spectrum = torch.zeros(2, requires_grad=True), torch.zeros(2, dtype=torch.cfloat, requires_grad=True)
    given = {
        "tensors": [weight, spectrum],
        "generator": (tensor for tensor in (weight, spectrum)),
        "groups": [{"params": [weight]}, {"params": spectrum}],
        "named": [("weight", weight), ("spectrum", spectrum)],
    }[how]
    started, hooks = under(FusedOptimizer())
    with hooks:
        optimizer = torch.optim.Adam(given)
        plain = torch.optim.Adam(tensor for tensor in [weight])
    assert not any(group["fused"] for group in optimizer.param_groups)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2
    assert plain.param_groups[0]["fused"]
    assert started.sites_changed() == {
        "fused_optimizer": "1 of 2 optimizers (1: some parameters are complex, for which torch has no fused Adam)"
    }


class OwnStep(torch.optim.SGD):
    """Does not look at the flags that its base class knows."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad, alpha=group["lr"])


class Counting(torch.optim.SGD):
    """Steps as its base class does."""

    steps = 0

    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)


@pytest.fixture
def uncalled():
    """As if no kernel had been called in this process."""
    called.clear()


@pytest.mark.usefixtures("uncalled")
@pytest.mark.parametrize("build", [torch.optim.AdamW, torch.optim.SGD, Counting, torch.optim.Adagrad])
@pytest.mark.parametrize("implementation", ["fused", "foreach"])
def test_it_is_confirmed_when_a_kernel_of_the_implementation_was_called(under, mlp, build, implementation):
    before = {name: getattr(torch, name) for name in dir(torch) if name.startswith(("_fused", "_foreach"))}
    started, hooks = under(FusedOptimizer(implementation=implementation))
    with hooks:
        optimizer = build(mlp.parameters(), lr=0.1)
        assert started.not_applied() == {"fused_optimizer": f"no {implementation} kernel has been called"}
        mlp(torch.ones(1, 4)).sum().backward()
        optimizer.step()
    assert started.not_applied() == {}
    for name, function in before.items():
        setattr(torch, name, function)


def test_what_is_saved_carries_the_flags_of_the_plain_program(under, mlp):
    plain = torch.optim.AdamW(mlp.parameters(), foreach=False).state_dict()
    _, hooks = under(FusedOptimizer())
    with hooks:
        optimizer = torch.optim.AdamW(mlp.parameters(), foreach=False)
        assert optimizer.param_groups[0]["fused"]
        assert optimizer.state_dict() == plain


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (torch.optim.Rprop, "torch has no fused Rprop"),
        (OwnStep, "OwnStep has a step of its own"),
        (lambda p: torch.optim.AdamW(p, fused=True), "itself asks for a fused"),
        (lambda p: torch.optim.AdamW(p, differentiable=True), "differentiable AdamW cannot be fused"),
    ],
)
def test_an_optimizer_that_cannot_be_fused_is_left_alone(under, mlp, build, words):
    started, hooks = under(FusedOptimizer())
    with hooks:
        build(mlp.parameters())
    assert words in started.refused["fused_optimizer"]
