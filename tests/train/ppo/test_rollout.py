import pytest
import torch

from hotloop import models
from hotloop.errors import WorkloadError
from hotloop.models.policy.distribution import MaskedCategorical
from hotloop.models.policy.network_call import NetworkCall
from hotloop.train.ppo.acting import Acting
from hotloop.train.ppo.rollout import Rollout


class ValueOfPlace(torch.nn.Module):
    """Uniform over 4 actions; the value is the place in the episode."""

    def forward(self, x):
        return torch.zeros(len(x), 4), x[:, 0]


def rollout_of(environment, model=None, steps=8):
    model = model or ValueOfPlace()
    return Rollout(
        model,
        environment,
        num_steps=steps,
        acting=Acting(model, NetworkCall(None), MaskedCategorical()),
        device=torch.device("cpu"),
    )


def test_the_value_after_a_truncated_episode_is_that_of_its_final_observation(counter):
    rollout = rollout_of(counter())
    last = rollout.collect()
    buffer = rollout.buffer
    assert buffer.observations[:, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    assert buffer.terminated.nonzero().tolist() == [[2, 0], [3, 1]]
    assert buffer.truncated.nonzero().tolist() == [[7, 0], [7, 1]]
    assert buffer.final_values.tolist() == [[0.0, 0.0]] * 7 + [[5.0, 4.0]]
    assert last.tolist() == [0.0, 0.0]


def test_a_rollout_goes_on_where_the_last_one_stopped(counter):
    rollout = rollout_of(counter(), steps=2)
    places = []
    for _ in range(3):
        rollout.collect()
        places += rollout.buffer.observations[:, 0, 0].tolist()
    assert places == [0, 1, 2, 0, 1, 2]


def test_log_probabilities_are_those_of_the_actions_that_the_environment_got(counter):
    torch.manual_seed(0)
    environment = counter()
    model = models.create("mlp", observation_size=2, num_actions=4)
    rollout = rollout_of(environment, model)
    rollout.collect()
    buffer = rollout.buffer
    assert torch.equal(torch.stack(environment.taken), buffer.actions)
    again, _, values = model.evaluate_actions(buffer.observations.flatten(0, 1), buffer.actions.flatten())
    torch.testing.assert_close(again, buffer.log_probs.flatten(), rtol=0, atol=1e-6)
    torch.testing.assert_close(values, buffer.values.flatten(), rtol=0, atol=1e-6)


def test_defect_12_a_rollout_leaves_batch_norm_as_it_was(counter):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), models.create("mlp", observation_size=2, num_actions=4))
    model.train()
    rollout_of(counter(), model).collect()
    assert model[0].num_batches_tracked == 0
    assert model[0].running_mean.eq(0).all()


def test_a_position_without_a_legal_action_is_named(counter):
    legal = torch.ones(2, 4, dtype=torch.bool)
    legal[1] = False
    with pytest.raises(WorkloadError, match="step 0 of the rollout: no action is legal in row 1 of 2"):
        rollout_of(counter(legal=legal)).collect()


def test_only_legal_actions_are_taken(counter):
    legal = torch.tensor([[False, True, False, True]] * 2)
    rollout = rollout_of(counter(legal=legal), steps=50)
    rollout.collect()
    assert set(rollout.buffer.actions.flatten().tolist()) == {1, 3}
