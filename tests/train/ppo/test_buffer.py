import pytest
import torch

from hotloop.errors import WorkloadError
from hotloop.train.ppo.buffer import RolloutBuffer


def filled(counter, steps=4, legal=None):
    environment = counter(legal=legal)
    buffer = RolloutBuffer(steps, environment, device=torch.device("cpu"), masks=legal is not None)
    for step in range(steps):
        buffer.begin(torch.full((2, 2), float(step)), legal)
        buffer.add(torch.tensor([step, step + 10]), torch.zeros(2), torch.zeros(2))
        buffer.end(torch.ones(2), torch.zeros(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool))
    return buffer


def finish(buffer):
    buffer.finish(torch.zeros(2), gamma=1.0, lam=1.0, sign=1.0, normalize=False)


def test_places_go_by_step_then_by_environment(counter):
    legal = torch.tensor([[True, False, True, True]] * 2)
    buffer = filled(counter, legal=legal)
    finish(buffer)
    batch = buffer.batch(torch.tensor([0, 3, 6]))
    assert batch.actions.tolist() == [0, 11, 3]
    assert batch.observations.tolist() == [[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]]
    assert batch.legal.tolist() == [[0, 2, 3, -1]] * 3
    assert batch.returns_B.tolist() == [4.0, 3.0, 1.0]
    assert buffer.num_samples == 8


def test_batches_before_the_advantages_are_refused(counter):
    buffer = filled(counter)
    with pytest.raises(WorkloadError, match="call finish before batches are taken"):
        buffer.batch(torch.tensor([0]))


def test_a_step_too_many_is_refused_and_clearing_keeps_the_memory(counter):
    buffer = filled(counter)
    with pytest.raises(WorkloadError, match="holds 4 steps and is full"):
        buffer.begin(torch.zeros(2, 2), None)
    address = buffer.observations.data_ptr()
    finish(buffer)
    buffer.clear()
    assert buffer.num_samples == 0
    buffer.begin(torch.zeros(2, 2), None)
    assert buffer.observations.data_ptr() == address
    with pytest.raises(WorkloadError, match="call finish"):
        buffer.batch(torch.tensor([0]))
