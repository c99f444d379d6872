import pytest
import torch
from torch import nn

from hotloop.transform import Plan
from hotloop.workloads.hooks import hooked, steps_seen
from hotloop.workloads.started_plan import start


class Counted:
    """Callbacks that keep the gradients and the parameters at the end of each step."""

    def __init__(self):
        self.losses, self.steps = 0, []

    def before_training(self):
        pass

    def loss(self, value):
        self.losses += 1

    def root(self, module):
        pass

    def step(self, optimizer):
        self.steps.append([p.grad.clone() for group in optimizer.param_groups for p in group["params"]])


@pytest.fixture
def counted():
    callbacks, started = Counted(), start(Plan())
    with hooked(started, callbacks), steps_seen(started, callbacks):
        yield callbacks


def updated(*modules, times=1):
    for _ in range(times):
        for module in modules:
            module.zero_grad()
        sum(module(torch.ones(1, 2)).sum() for module in modules).backward()
        with torch.no_grad():
            for module in modules:
                for p in module.parameters():
                    p.sub_(0.1 * p.grad)


def test_the_zeroing_after_a_backward_pass_ends_a_step_with_its_gradients(counted):
    updated(nn.Linear(2, 1), times=4)
    assert len(counted.steps) == 3
    assert [gradient.sum().item() for gradient in counted.steps[0]] == [2.0, 1.0]


def test_two_modules_that_are_zeroed_together_end_one_step(counted):
    updated(nn.Linear(2, 1), nn.Linear(2, 1), times=4)
    assert len(counted.steps) == 3


def test_a_program_with_an_optimizer_is_followed_by_that_alone(counted):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters())
    updated(model, times=4)
    assert counted.steps == []
    optimizer.step()
    assert len(counted.steps) == 1


def test_gradients_that_belong_to_others_end_nothing(counted):
    data = torch.ones(1, 2, requires_grad=True)
    (data * 2).sum().backward()
    nn.Linear(2, 1).zero_grad()
    assert counted.steps == []


def test_no_transform_meets_what_stands_for_the_optimizer():
    callbacks, started = Counted(), start(Plan.from_data([{"name": "fused_optimizer"}]))
    with hooked(started, callbacks), steps_seen(started, callbacks):
        updated(nn.Linear(2, 1), times=3)
    assert len(callbacks.steps) == started.steps == 2
    assert started.applied == {"fused_optimizer": 0}
