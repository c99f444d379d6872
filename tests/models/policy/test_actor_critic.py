"""A contract that every registered actor-critic keeps."""

import pytest
import torch

from hotloop import models

SMALL = {
    "resnet": {"input_channels": 4, "num_actions": 30, "depth": 1, "width": 4},
    "simple_cnn": {"input_channels": 4, "num_actions": 30},
    "se_resnet": {"input_channels": 4, "num_actions": 162, "depth": 1, "width": 4},
    "mlp": {"observation_size": 324, "num_actions": 30},
    "recurrent": {"observation_size": 324, "history": 4, "num_actions": 30},
}


@pytest.fixture(params=models.names())
def model(request):
    torch.manual_seed(0)
    return models.create(request.param, **SMALL[request.param]).eval()


@pytest.fixture
def observations():
    return torch.randn(6, 4, 9, 9, generator=torch.Generator().manual_seed(1))


def mask_for(model, observations):
    outputs, _ = model(observations)
    mask = torch.rand(outputs.shape, generator=torch.Generator().manual_seed(2)) < 0.2
    mask[:, 3] = True
    return mask


def test_evaluation_gives_log_probabilities_then_entropies_then_values(model, observations):
    """The order of the protocol, and the log-probabilities of the rollout to 1e-6."""
    mask = mask_for(model, observations)
    actions, log_probs, values = model.get_action_and_value(observations, mask)
    again, entropy, values_again = model.evaluate_actions(observations, actions, mask)
    assert actions.dtype is torch.int64
    torch.testing.assert_close(again, log_probs, rtol=0, atol=1e-6)
    torch.testing.assert_close(values_again, values, rtol=0, atol=1e-6)
    assert (again < 0).all()
    assert ((entropy > 0) & (entropy <= mask.sum(1).log() + 1e-5)).all()
    assert again.shape == entropy.shape == values.shape == (6,)


def test_the_deterministic_action_is_the_likeliest_legal_one(model, observations):
    mask = mask_for(model, observations)
    actions, _, _ = model.get_action_and_value(observations, mask, deterministic=True)
    logits, _ = model(observations)
    assert torch.equal(actions, logits.masked_fill(~mask, -torch.inf).argmax(1))


def test_gradients_reach_every_parameter_but_those_of_a_head_that_ppo_does_not_use(model, observations):
    log_probs, entropy, value = model.evaluate_actions(observations, torch.full((6,), 3), mask_for(model, observations))
    (log_probs.sum() + entropy.sum() + value.sum()).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert all(name.startswith("score_head") for name in without)


def test_a_row_without_a_legal_action_is_named(model, observations):
    mask = mask_for(model, observations)
    mask[4] = False
    with pytest.raises(ValueError, match="no action is legal in row 4 of 6"):
        model.get_action_and_value(observations, mask)
    with pytest.raises(ValueError, match="no action is legal in row 4 of 6"):
        model.evaluate_actions(observations, torch.zeros(6, dtype=torch.int64), mask)


def test_a_model_compiled_in_place_runs_compiled_in_both_methods_and_keeps_its_keys(model, observations):
    """Defects 1 and 2: a wrapper ran nothing of these methods compiled, and its checkpoints had other keys."""
    frames = []

    def backend(graph, example_inputs):
        frames.append(graph)
        return graph.forward

    before, keys = model.evaluate_actions(observations, torch.full((6,), 3)), list(model.state_dict())
    model.compile(backend=backend)
    model.get_action_and_value(observations)
    assert len(frames) == 1
    after = model.evaluate_actions(observations, torch.full((6,), 3))
    assert len(frames) == 2  # the one with gradients
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b)
    assert list(model.state_dict()) == keys
