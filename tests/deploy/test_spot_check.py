"""Outputs under a plan compared with the plain ones, in a run that must not notice."""

import pytest
import torch
from torch import nn

from hotloop.compile.root_call import call_around
from hotloop.deploy.spot_check import SpotChecks
from hotloop.transform import Plan, Stage, TransformBase
from hotloop.transforms.autocast import Autocast


class Scaled(TransformBase):
    """Multiplies what a root returns by a factor, in training or in both modes."""

    factor: float = 2.0
    in_evaluation: bool = True

    name = "scaled"
    stage = Stage.MODULE

    def apply(self, site):
        def around(module, call, args, kwargs):
            outputs = call(*args, **kwargs)
            return outputs * self.factor if module.training or self.in_evaluation else outputs

        call_around(site, around)


@pytest.fixture
def checked():
    """Starts a plan of one transform on a model: the checks, and what they report."""

    def start(transform, model):
        said = []
        checks = SpotChecks(Plan((transform,)), said.append)
        transform.apply(model)
        checks.follow(model)
        return checks, said

    return start


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


def test_bf16_is_within_what_its_rounding_may_do(checked):
    model = net()
    checks, said = checked(Autocast(), model)
    for is_training in (True, False):
        model.train(is_training)(torch.randn(32, 8))
    assert (checks.made, checks.failed, said) == (2, 0, [])


@pytest.mark.parametrize("in_evaluation", [True, False])
def test_another_output_is_reported_in_the_mode_where_it_occurs(checked, in_evaluation):
    model = net()
    checks, said = checked(Scaled(in_evaluation=in_evaluation), model)
    model.eval()(torch.randn(32, 8))
    assert len(said) == int(in_evaluation)
    model.train()(torch.randn(32, 8))
    assert said[-1].startswith("Sequential in training: its outputs are off by 1.0e+00 under the plan, where ")
    assert checks.failed == 1 + in_evaluation


def test_the_program_does_not_notice(checked):
    x, models, after = torch.randn(32, 8), (net(), net()), []
    checked(Scaled(factor=1.0), models[1])
    for model in models:
        torch.manual_seed(1)
        model(x).sum().backward()
        after.append([torch.rand(3), *model.state_dict().values(), *(p.grad for p in model.parameters())])
    assert all(map(torch.equal, *after))


def test_a_forward_that_draws_is_not_compared_and_that_is_counted(checked):
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5))
    checks, said = checked(Scaled(), model)
    model(torch.ones(4, 8))
    assert (checks.made, checks.skipped, said) == (0, {"draws random numbers": 1}, [])


def test_later_calls_are_checked_within_a_share_of_the_time(checked):
    model = net().eval()
    checks, _ = checked(Scaled(factor=1.0), model)
    for _ in range(50):
        model(torch.ones(4, 8))
    assert checks.made == 1
