import warnings

import pytest

from hotloop.train.episodes.schedule import resolve
from hotloop.train.episodic import EpisodicOptions, train_episodic


def resolved(num_steps=100, **options):
    schedule = resolve(EpisodicOptions(window=10, **options), num_steps)
    return schedule.window, schedule.batch, schedule.updates, schedule.episodes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (10, 1, 32, 32)),
        ({"batch_episodes": 1}, (10, 1, 1, 1)),
        ({"updates_per_epoch": 5}, (10, 32, 5, 160)),
        ({"batch_episodes": 8, "updates_per_epoch": 4}, (10, 8, 4, 32)),
        ({"batch_episodes": 32, "episode_batch_size": 5}, (10, 5, 7, 32)),
        ({"batch_episodes": 32, "episode_batch_size": 5, "updates_per_epoch": 2}, (10, 5, 2, 10)),
        ({"batch_episodes": 3, "episode_batch_size": 5}, (10, 3, 1, 3)),
    ],
)
def test_3_1_schedules_resolve_by_the_table(options, expected):
    assert resolved(**options) == expected


def test_3_1_the_last_batch_may_be_smaller(make, flat_series, options):
    sizes = []

    def reward(actions, context):
        sizes.append(actions.shape[0])
        return -actions.square().mean((1, 2))

    chosen = options(epochs=1, batch_episodes=7, episode_batch_size=3)
    run = train_episodic(make["linear"](), flat_series, chosen, reward=reward, seed=0)
    assert sizes == [3, 3, 1]
    assert (run.history[0].episodes, run.history[0].updates) == (7, 3)


def test_a3_the_default_schedule_is_32_updates_of_one_episode(make, flat_series, options):
    explicit = options(batch_episodes=1, updates_per_epoch=32)
    runs = [train_episodic(make["linear"](), flat_series, chosen, seed=3) for chosen in (options(), explicit)]
    assert [epoch.reward for epoch in runs[0].history] == [epoch.reward for epoch in runs[1].history]


def test_defect_09_episodes_without_updates_are_no_batch_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="8 updates of one episode each epoch"):
        assert resolved(batch_episodes=8) == (10, 1, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolved(batch_episodes=8, updates_per_epoch=1) == (10, 8, 1, 8)


def test_defect_09_a_short_series_is_one_episode_and_the_profile_tells(make, flat_series, options):
    with pytest.warns(UserWarning, match="every episode is the whole series"):
        run = train_episodic(make["linear"](), flat_series[:5], options(batch_episodes=8, updates_per_epoch=3), seed=0)
    profile = run.profile
    assert (profile.episode_length, profile.episode_batch_size, profile.updates_per_epoch) == (5, 1, 3)
    assert profile.episodes_sampled == sum(epoch.episodes for epoch in run.history) == 6


def test_defect_10_senseless_knobs_are_refused():
    for wrong in ({"window": 0}, {"epochs": -1}, {"clip_norm": -1.0}, {"lr": 0.0}, {"transition_penalty": -0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            EpisodicOptions(**wrong)
    with pytest.raises(ValueError, match="batch_episode"):
        EpisodicOptions(batch_episode=3)


def test_an_empty_series_is_refused(make, flat_series, options):
    with pytest.raises(ValueError, match="at least 1"):
        train_episodic(make["linear"](), flat_series[:0], options())
