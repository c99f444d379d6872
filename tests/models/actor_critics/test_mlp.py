import pytest
import torch

from hotloop import models
from hotloop.errors import ModelError


def test_continuous_actions_are_evaluated_as_they_were_drawn():
    torch.manual_seed(0)
    made = models.create("mlp", observation_size=3, action_size=2, log_std=-1)
    actions, log_probs, _ = made.get_action_and_value(torch.randn(7, 3, generator=torch.Generator().manual_seed(1)))
    again, entropy, value = made.evaluate_actions(
        torch.randn(7, 3, generator=torch.Generator().manual_seed(1)), actions
    )
    assert (actions.shape, actions.dtype, value.shape) == ((7, 2), torch.float32, (7,))
    torch.testing.assert_close(again, log_probs, rtol=0, atol=1e-6)
    torch.testing.assert_close(entropy, torch.full((7,), 2 * (1.4189385 - 1.0)))


def test_the_first_policy_is_close_to_uniform():
    made = models.create("mlp", observation_size=4, num_actions=2)
    logits, _ = made(torch.randn(100, 4))
    assert logits.abs().max() < 0.1


def test_one_kind_of_action_is_given():
    for actions in ({}, {"num_actions": 2, "action_size": 1}):
        with pytest.raises(ModelError, match="exactly one is above 0"):
            models.create("mlp", observation_size=4, **actions)
