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
    assert first.startswith("hotloop: data_loading of the plan does not apply: the program never showed it a site")


def test_a_loss_that_is_not_finite_is_said(trained):
    assert "a loss was not finite within the first 10 steps" in trained(10, losses=(1.0, float("nan"), 1.0))[0]


def test_steps_that_are_slower_than_proven_are_said(trained):
    assert "prove the plan again here" in trained(100, proven_step=1e-9)[0]
    assert len(trained(100, proven_step=1e9)) == 1
