import torch

from hotloop.train.ppo.episode_log import EpisodeLog


def played(log, games):
    """`games`: rewards of each step of one environment, the last of which ends it."""
    for rewards in games:
        for index, reward in enumerate(rewards):
            log.add(torch.tensor([reward]), torch.tensor([index == len(rewards) - 1]))
    return log.figures()


def test_returns_and_lengths_are_means_over_the_last_episodes():
    log = EpisodeLog(1, alternates=False, window=2)
    assert log.figures() == {}
    figures = played(log, [[5.0], [1.0, 1.0], [1.0, 1.0, 2.0]])
    assert figures == {"episode_return": 3.0, "episode_length": 2.5, "episodes": 3.0}


def test_in_a_game_of_two_the_reward_is_the_movers():
    log = EpisodeLog(1, alternates=True)
    figures = played(log, [[0.0, 0.0, 1.0], [0.0, 1.0], [0.0, -1.0], [0.0, 0.0]])
    assert (figures["first_side_wins"], figures["second_side_wins"], figures["draws"]) == (0.5, 0.25, 0.25)


def test_a_log_goes_on_where_its_state_was_taken():
    whole, before, after = (EpisodeLog(1, alternates=False) for _ in range(3))
    played(whole, [[1.0, 2.0], [3.0, 4.0]])
    played(before, [[1.0, 2.0]])
    before.add(torch.tensor([3.0]), torch.tensor([False]))
    data, tensors = before.state()
    after.restore_state(data, tensors)
    after.add(torch.tensor([4.0]), torch.tensor([True]))
    assert after.figures() == whole.figures()
