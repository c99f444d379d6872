import contextlib

import pytest
import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from hotloop.transform import Plan
from hotloop.workloads.hooks import hooked, steps_seen
from hotloop.workloads.started_plan import start


class Recorded:
    """Callbacks that list what was called."""

    def __init__(self):
        self.calls, self.roots, self.optimizers = [], [], []

    def before_training(self):
        self.calls.append("before_training")

    def loss(self, value):
        self.calls.append(f"loss {value.item():.0f}")

    def root(self, module):
        self.roots.append(module)

    def step(self, optimizer):
        self.calls.append("step")
        self.optimizers.append(optimizer)


@pytest.fixture
def recorded():
    """The callbacks of a program under hooks."""
    callbacks, started = Recorded(), start(Plan())
    with hooked(started, callbacks), steps_seen(started, callbacks):
        yield callbacks


def stepped(optimizer, times=1):
    for _ in range(times):
        optimizer.zero_grad()
        (optimizer.param_groups[0]["params"][0].sum() * 0 + 3).backward()
        optimizer.step()


def sgd():
    return torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)


def test_a_step_is_seen_from_the_optimizer_to_its_end(recorded):
    stepped(sgd(), times=2)
    assert recorded.calls == ["before_training", "loss 3", "step", "loss 3", "step"]


def test_the_optimizer_that_steps_first_leads(recorded):
    first, second = sgd(), sgd()
    for _ in range(3):
        stepped(first)
        stepped(second, times=2)
    assert recorded.optimizers == [first, first, first]


def test_an_optimizer_leads_after_64_steps_without_the_one_before(recorded):
    first, second = sgd(), sgd()
    stepped(first)
    stepped(second, times=65)
    assert recorded.optimizers == [first, second, second]


def test_with_a_context_around_roots_each_of_their_calls_is_in_it():
    entered, started = [], start(Plan())

    @contextlib.contextmanager
    def around(module, *inputs):
        entered.append((module, inputs))
        yield

    model = nn.Sequential(nn.Linear(2, 2))
    with hooked(started, Recorded(), around_roots=around):
        started.steps = 1
        for _ in range(20):
            model(torch.ones(1, 2))
    assert len(entered) == 20


def test_nothing_is_left_in_torch_afterwards():
    before = (
        torch.autograd.backward,
        Optimizer.__init__,
        nn.Module.__init__,
        nn.Module.__setstate__,
        nn.Module.compile,
        nn.Module.__call__,
    )
    started, callbacks = start(Plan()), Recorded()
    with hooked(started, callbacks), steps_seen(started, callbacks):
        assert torch.autograd.backward is not before[0]
    assert before == (
        torch.autograd.backward,
        Optimizer.__init__,
        nn.Module.__init__,
        nn.Module.__setstate__,
        nn.Module.compile,
        nn.Module.__call__,
    )
