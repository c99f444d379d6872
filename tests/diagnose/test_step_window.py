import pytest

from hotloop.diagnose.step_window import StepWindow


@pytest.mark.parametrize(
    ("window", "steps", "seconds", "expected"),
    [
        (StepWindow(order=1, steps=10, most=0.5), 9, 1.0, False),
        (StepWindow(order=1, steps=10, most=0.5), 10, 1.0, True),
        (StepWindow(order=1, steps=10, most=0.5), 1, 5.0, True),  # half of the budget is over
        (StepWindow(order=1, least=0.2, most=0.5), 30, 1.9, False),  # enough steps, too little time
        (StepWindow(order=1, least=0.2, most=0.5), 30, 2.0, True),
        (StepWindow(order=1, least=0.2, most=0.5), 29, 2.0, False),  # as many as are timed
    ],
)
def test_a_window_is_over_by_steps_and_time(window, steps, seconds, expected):
    assert window.is_over(steps, seconds, timed_steps=30, budget=10.0) is expected


@pytest.mark.parametrize(("steps", "timed", "expected"), [(10, 3, 6), (5, 3, 3), (1, 2, 1), (10, 5, 10)])
def test_windows_shrink_where_few_steps_are_timed(steps, timed, expected):
    window = StepWindow(order=1, steps=steps, most=1.0)
    assert not window.is_over(expected - 1, 0.0, timed_steps=timed, budget=10.0)
    assert window.is_over(expected, 0.0, timed_steps=timed, budget=10.0)
