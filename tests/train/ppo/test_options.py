import pytest
from pydantic import ValidationError

from hotloop.train.ppo.options import PPOOptions


def test_there_are_as_many_updates_as_fit_and_at_least_one():
    options = PPOOptions(total_steps=1000, num_steps=10)
    assert (options.num_updates(8), options.num_updates(1000)) == (12, 1)


def test_the_rate_follows_the_schedule_of_updates():
    updates = PPOOptions(total_steps=110, num_steps=10, lr=1.0, lr_schedule="linear", lr_final_fraction=0.0).updates(1)
    assert [updates.lr_in(update) for update in (0, 5, 10)] == pytest.approx([1.0, 0.5, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "batch_size"),
        ({"clip": 0.0}, "clip"),
        ({"gamma": 1.5}, "gamma"),
        ({"passes": "4"}, "passes"),
        ({"lr_schedule": "sqrt"}, "lr_schedule"),
        ({"warmup": 3}, "warmup"),
    ],
)
def test_wrong_values_are_named(options, message):
    with pytest.raises(ValidationError, match=message):
        PPOOptions(**options)
