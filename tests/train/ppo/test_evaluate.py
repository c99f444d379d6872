import torch

from hotloop.train.ppo.evaluate import episode_returns


def test_returns_are_those_of_the_first_episodes_of_each_environment(counter):
    """Short episodes of one environment do not crowd out the long ones of the other."""

    def always(observations, legal):
        return torch.zeros(len(observations), dtype=torch.int64)

    environment = counter(lengths=((1,), (9,)), cuts=False)
    assert episode_returns(environment, always, episodes=3) == [1.0, 1.0, 1.0, 1.0]
    assert len(environment.taken) == 18
