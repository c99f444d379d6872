import pytest

from hotloop.train.ppo.schedules import LearningRates, between


def rates(schedule, updates=11, **options):
    made = LearningRates(schedule=schedule, lr=1.0, num_updates=updates, **options)
    return [made.at(update) for update in range(updates)]


def test_every_schedule_begins_at_the_rate_and_is_finished_in_the_last_update():
    """One step an update: a schedule over passes would never be finished."""
    assert rates("constant") == [1.0] * 11
    assert rates("linear")[::5] == pytest.approx([1.0, 0.55, 0.1])
    assert rates("cosine")[::5] == pytest.approx([1.0, 0.5, 0.0])
    assert rates("linear", final_fraction=0.0)[-1] == 0.0  # 0 is not taken for the default


def test_factors_are_applied_by_update():
    assert rates("exponential")[2] == pytest.approx(0.995**2)
    assert rates("exponential", gamma=0.9)[3] == pytest.approx(0.9**3)
    assert rates("step", step_size=4)[3:9] == [1.0, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_one_update_has_the_first_rate():
    assert rates("linear", updates=1) == [1.0]


def test_between_goes_linearly_or_stays():
    assert between(4.0, 2.0, 0.5) == 3.0
    assert between(4.0, None, 0.5) == 4.0
