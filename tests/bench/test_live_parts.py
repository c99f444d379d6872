import copy
import time

import pytest
import torch
from torch import nn

from hotloop.bench import benchmark_model, benchmark_training_step


class Waits(nn.Module):
    """A forward with a known delay."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, rows):
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until:
            pass
        return rows * self.weight


def same(a, b) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


def test_a_known_delay_is_in_the_forward_and_not_in_the_backward():
    found = benchmark_model(Waits(0.02), torch.ones(2, 4), loss=lambda out: out.sum(), steps=10)
    assert found.forward.seconds >= 0.02
    assert found.backward.seconds < found.forward.seconds
    assert found.throughput == pytest.approx(2 / (found.forward.seconds + found.backward.seconds))


def test_a_model_without_a_loss_has_a_forward_alone():
    found = benchmark_model(nn.Linear(4, 2), (torch.ones(8, 4),), steps=5)
    assert (found.backward, found.update, found.batch) == (None, None, 8)
    assert found.forward.num_samples == 5
    assert found.peak_memory > 0
    assert found.mean_memory > 0


def test_a_model_stays_as_it_was(job):
    model = job.model.train()
    model(torch.randn(8, 8)).sum().backward()
    gradient = model[0].weight.grad
    before = copy.deepcopy(model.state_dict())
    benchmark_model(model, torch.randn(8, 8).fill_(1.0), loss=lambda out: out.sum(), steps=3)
    assert same(before, model.state_dict())
    assert model[0].weight.grad is gradient
    assert model.training


def test_random_numbers_go_on_as_if_nothing_had_been_measured(job):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    benchmark_training_step(job, steps=3)
    assert torch.equal(torch.rand(4), expected)


def test_a_training_step_has_three_parts_and_leaves_the_job_as_it_was(job):
    before = copy.deepcopy(job.model.state_dict())
    found = benchmark_training_step(job, steps=5)
    assert sorted(found.parts) == ["backward", "forward", "update"]
    assert found.batch == 8
    assert same(before, job.model.state_dict())
    assert not job.optimizer.state_dict()["state"]


def test_too_few_steps_are_refused(job):
    with pytest.raises(ValueError, match="at least 3 steps"):
        benchmark_training_step(job, steps=2)
