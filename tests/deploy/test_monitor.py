"""What is written to stderr beside a training run under a plan."""

import pytest
import torch
from torch import nn

from hotloop.deploy.monitor import TrainingMonitor
from hotloop.transform import Plan
from hotloop.transforms.data_loading import DataLoading
from hotloop.workloads.started_plan import start


@pytest.fixture
def trained(capsys):
    """The lines of a run of so many steps, with the losses it is told of."""

    def train(steps, *, transforms=(), losses=(1.0,), proven_step=None):
        monitor = TrainingMonitor(start(Plan(transforms)), proven_step=proven_step)
        optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
        for loss in losses:
            monitor.loss(torch.tensor(loss))
        for _ in range(steps):
            monitor.step(optimizer)
        monitor.close()
        return capsys.readouterr().err.splitlines()

    return train


def test_a_good_run_ends_in_one_line(trained):
    (line,) = trained(3)
    assert line.startswith("hotloop: 3 steps under nothing, the last ones ")


@pytest.mark.parametrize("steps", [2, 10, 150])
def test_what_does_not_apply_is_said_once_with_the_reason(trained, steps):
    first, _ = trained(steps, transforms=(DataLoading(),))
    assert first.startswith("hotloop: data_loading of the plan does not apply: the program never built a DataLoader")


def test_a_loss_that_is_not_finite_is_said(trained):
    assert "a loss was not finite within the first 10 steps" in trained(10, losses=(1.0, float("nan"), 1.0))[0]


def test_steps_that_are_slower_than_proven_are_said(trained):
    assert "prove the plan again here" in trained(100, proven_step=1e-9)[0]
    assert len(trained(100, proven_step=1e9)) == 1


def square(x):
    return x * x + 1


@pytest.fixture
def recompiled():
    """A compiled function that was called with one shape more than Dynamo compiles."""
    torch.compiler.reset()

    def call():
        compiled = torch.compile(square, backend="eager", dynamic=False)
        for size in range(2, torch._dynamo.config.recompile_limit + 4):
            compiled(torch.ones(size))

    yield call
    torch.compiler.reset()


@pytest.mark.parametrize("is_strict", [False, True])
def test_the_recompile_limit_is_said_in_the_very_step_and_stops_a_strict_run(recompiled, capsys, is_strict):
    monitor = TrainingMonitor(start(Plan()), proven_step=None, is_strict=is_strict)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    for _ in range(36):
        monitor.step(optimizer)
    recompiled()
    if is_strict:
        with pytest.raises(SystemExit):
            monitor.step(optimizer)
    else:
        monitor.step(optimizer)
    monitor.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("hotloop: step 37: torch._dynamo hit config.recompile_limit (")
    assert "square" in lines[0]
    assert sum("recompile_limit" in line for line in lines if line.startswith("hotloop:")) == 1


def test_a_strict_run_that_stays_slower_than_proven_stops(capsys):
    monitor = TrainingMonitor(start(Plan()), proven_step=1e-9, is_strict=True)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    for _ in range(199):
        monitor.step(optimizer)
    with pytest.raises(SystemExit):
        monitor.step(optimizer)
    monitor.close()
    assert "hotloop: step 100: a step takes" in capsys.readouterr().err
