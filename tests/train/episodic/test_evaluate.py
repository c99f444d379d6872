import pytest
import torch

from hotloop.train.episodes.reward import RewardCall
from hotloop.train.episodic.evaluate import series_scorer
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn


def test_defect_01_the_flagship_reward_is_evaluated_on_a_whole_series(make, flat_series):
    reward = RewardCall(MultiplicativeReturn(), 0.01)
    assert series_scorer(make["linear"](), abs(flat_series) + 1, reward)() < 1e3


def test_evaluation_is_the_reward_of_the_whole_series_as_one_episode(make, flat_series):
    model = make["linear"]().train()
    actions = torch.softmax(model(torch.from_numpy(flat_series)), -1)
    got = series_scorer(model, flat_series, RewardCall(None))()
    assert got == pytest.approx(-actions.square().mean().item(), rel=1e-6)
    assert model.training
