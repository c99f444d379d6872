import functools
import inspect
import warnings

import numpy as np
import pytest
import torch

from hotloop.train.episodes.reward import RewardCall, penalty_keyword
from hotloop.train.episodic import train_episodic
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn


def plain(actions, context):
    return -actions.square().mean((1, 2))


def with_penalty(actions, context, *, transition_penalty=0.0):
    moved = (actions[:, 1:] - actions[:, :-1]).abs().sum((1, 2))
    return plain(actions, context) - transition_penalty * moved


def with_cost(actions, context, trans_cost=0.0):
    return with_penalty(actions, context, transition_penalty=trans_cost)


def with_anything(actions, context, **options):
    return with_penalty(actions, context, **options)


@pytest.mark.parametrize(
    ("reward", "name"),
    [
        (plain, None),
        (with_penalty, "transition_penalty"),
        (with_cost, "trans_cost"),
        (with_anything, "transition_penalty"),
        (functools.partial(with_cost, trans_cost=0.5), "trans_cost"),
        (MultiplicativeReturn(), "transition_penalty"),
        (max, None),
        (lambda a, c, transition_penalty, /: a, None),
    ],
)
def test_1_1_the_keyword_of_the_penalty_is_found(reward, name):
    assert penalty_keyword(reward) == name


def test_a7_the_signature_is_inspected_once_a_run(make, flat_series, options, monkeypatch):
    calls, inspected = [], inspect.signature
    monkeypatch.setattr(inspect, "signature", lambda f, **k: calls.append(f) or inspected(f, **k))
    train_episodic(make["linear"](), flat_series, options(transition_penalty=0.1), reward=with_penalty, seed=0)
    assert calls == [with_penalty]


@pytest.mark.parametrize("reward", [with_penalty, with_cost, with_anything])
def test_1_2_s2a_the_penalty_reaches_every_kind_of_reward(reward):
    actions = torch.randn(2, 5, 3)
    got = RewardCall(reward, 0.3)(actions, actions)
    assert torch.allclose(got, with_penalty(actions, actions, transition_penalty=0.3))
    assert not torch.allclose(got, plain(actions, actions))


def test_s2a_the_gradient_of_the_penalised_reward_is_that_of_finite_differences():
    actions = torch.randn(1, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: RewardCall(with_penalty, 0.3)(a, a.detach()), (actions,))


def test_1_3_training_without_the_penalty_learns_something_else(make, flat_series, options, weights):
    models = [make["linear"](), make["linear"]()]
    for model, penalty in zip(models, (0.0, 0.5), strict=True):
        train_episodic(model, flat_series, options(transition_penalty=penalty), reward=with_penalty, seed=0)
    assert not torch.allclose(weights(models[0]), weights(models[1]))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (torch.tensor(3.0), [3.0]),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (torch.tensor([[1.0, 3.0], [2.0, 2.0]]), [2.0, 2.0]),
        (torch.ones(2, 3, 5), [1.0, 1.0]),
        (torch.ones(1, 3), [1.0]),
        (torch.tensor([1, 2]), [1.0, 2.0]),
        (0.5, [0.5]),
        ([1.0, 2.0], [1.0, 2.0]),
    ],
)
def test_1_2_rewards_become_one_figure_an_episode(result, expected):
    assert RewardCall(lambda a, c: result)(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)).tolist() == expected


def test_1_2_a_reward_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"\(3,\).*\(2, 3, 4\)"):
        RewardCall(lambda a, c: torch.zeros(3))(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))


@pytest.mark.parametrize(
    "result",
    ["up", None, {"reward": 1.0}, ["up", "down"], [[1.0], [2.0, 3.0]], np.array(["up"]), object()],
    ids=["text", "nothing", "mapping", "texts", "ragged", "array of text", "object"],
)
def test_a_reward_that_is_no_number_is_named_with_what_is_allowed(result):
    def talking(actions, context):
        return result

    with pytest.raises(
        TypeError, match=f"reward .*talking' returned .*{type(result).__name__}; allowed are one number"
    ):
        RewardCall(talking)(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("result", [lambda a: a, lambda a: -a, lambda a: a * a.detach()], ids=["same", "minus", "each"])
@pytest.mark.parametrize("name", ["linear", "dense"])
def test_a_reward_with_the_shape_of_the_actions_is_refused_with_both_shapes(make, flat_series, options, name, result):
    def echo(actions, context):
        return result(actions)

    with pytest.raises(ValueError, match=r"echo' returned shape \(1, \d+, 2\) for actions of shape \(1, \d+, 2\)"):
        train_episodic(make[name](), flat_series, options(), reward=echo)


def test_one_output_is_no_excuse_for_returning_the_actions():
    with pytest.raises(ValueError, match=r"\(2, 3, 1\) for actions of shape \(2, 3, 1\)"):
        RewardCall(lambda a, c: a)(torch.zeros(2, 3, 1), torch.zeros(2, 3, 1))


@pytest.mark.parametrize("result", [lambda a: 1.0, lambda a: a.detach().mean()])
@pytest.mark.parametrize("name", ["linear", "dense"])
def test_a_reward_without_gradient_is_refused(make, flat_series, options, name, result):
    with pytest.raises(ValueError, match="without gradient"):
        train_episodic(make[name](), flat_series, options(), reward=lambda a, c: result(a))


def test_defect_08_a_penalty_that_would_be_dropped_is_warned_of():
    with pytest.warns(UserWarning, match="takes neither transition_penalty nor trans_cost"):
        RewardCall(plain, 0.1)
    with pytest.warns(UserWarning, match="has no effect"):
        RewardCall(None, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RewardCall(plain, 0.0)
