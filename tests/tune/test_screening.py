import math
from types import SimpleNamespace

import pytest

from hotloop.compare.replicate import Replicate, Setup
from hotloop.compare.series import ReplicateSeries
from hotloop.estimate import Estimate
from hotloop.measurement import Block, Clock
from hotloop.transform import Plan, describe
from hotloop.transforms.autocast import Autocast
from hotloop.tune import screening
from hotloop.tune.screening import KEPT, ScreeningResult, screen_again, screening_result
from hotloop.verdict import Outcome, Verdict

NAME = describe(Autocast())


def result(ratio, *, error):
    gain = Estimate(log_ratio=math.log(ratio), standard_error=error, rounds=8)
    return ScreeningResult(name=NAME, plan=Plan((Autocast(),)), gain=gain)


@pytest.fixture
def series(program):
    """A series whose replicates are written by hand: seconds of a step by arm, one mapping a replicate."""

    def write(*replicates):
        setup = Setup(workload=program("mlp"), settings=None, baseline=KEPT, order=None)
        series = ReplicateSeries(setup, {arm: Plan() for arm in replicates[0]}, clock=Clock.WALL)
        for number, arms in enumerate(replicates):
            series.replicates.append(Replicate(blocks=tuple(blocks(number, arms)), startup=dict.fromkeys(arms, 1.0)))
        return series

    return write


def blocks(replicate, arms):
    for number in range(8):
        for arm, seconds in arms.items():
            steps = tuple(seconds * (1 + 0.002 * (number % 3)) for _ in range(4))
            yield Block(replicate=replicate, round=number, arm=arm, wall=steps, cpu=steps)


@pytest.mark.parametrize(
    ("ratio", "error", "expected"),
    [(1.05, 0.01, True), (1.005, 0.001, False), (1.03, 0.03, False), (0.9, 0.001, False), (1.5, 0.1, True)],
)
def test_a_gain_is_promising_beyond_one_percent_and_two_standard_errors(ratio, error, expected):
    assert result(ratio, error=error).is_promising is expected


def test_what_failed_is_not_promising():
    failure = Verdict(gate="runs", outcome=Outcome.FAIL, message="it crashed")
    assert not ScreeningResult(name=NAME, plan=Plan((Autocast(),)), failure=failure).is_promising


def test_a_plan_is_judged_by_its_replicate_with_the_spread_that_was_measured(series):
    found = screening_result(series({KEPT: 1.0, NAME: 0.8}), NAME, Plan((Autocast(),)), spreads=(0.01, 0.01))
    assert found.gain is not None
    assert found.gain.ratio == pytest.approx(1.25, rel=0.01)
    assert found.gain.standard_error >= 0.01 - 1e-9


def test_replicates_are_averaged_and_narrow_the_interval(series):
    one = screening_result(series({KEPT: 1.0, NAME: 0.8}), NAME, Plan((Autocast(),)), spreads=(0.01, 0.01))
    two = screening_result(
        series({KEPT: 1.0, NAME: 0.8}, {KEPT: 1.0, NAME: 0.64}), NAME, Plan((Autocast(),)), spreads=(0.01, 0.01)
    )
    assert two.gain is not None
    assert one.gain is not None
    assert two.gain.ratio == pytest.approx(1.25**1.5, rel=0.01)
    assert two.gain.standard_error < one.gain.standard_error


def test_more_spread_between_equal_workers_makes_a_gain_less_certain(series):
    quiet, noisy = (
        screening_result(series({KEPT: 1.0, NAME: 0.95}), NAME, Plan((Autocast(),)), spreads=(spread, spread))
        for spread in (0.005, 0.05)
    )
    assert quiet.is_promising
    assert noisy.is_doubtful


@pytest.mark.parametrize(
    ("ratio", "error", "expected"),
    [(1.05, 0.01, False), (1.03, 0.03, True), (1.005, 0.01, False), (0.97, 0.05, False)],
)
def test_a_gain_inside_its_own_error_is_doubtful(ratio, error, expected):
    assert result(ratio, error=error).is_doubtful is expected


@pytest.fixture
def clock():
    """A session that only has a clock: every screening takes ten seconds of it."""
    return SimpleNamespace(elapsed=0.0, progress=SimpleNamespace(say=lambda line: None))


@pytest.fixture
def again(monkeypatch, clock):
    """Makes further screenings show these gains, one after another; keeps who was measured."""
    measured = []

    def show(*gains):
        def screen(_session, _kept, plans, *, title, seconds):
            measured.append((title, list(plans)))
            clock.elapsed += 10.0
            return (result(gains[len(measured) - 1], error=0.03),)

        monkeypatch.setattr(screening, "screen", screen)
        return measured

    return show


def looked(clock, first, *, spare=60.0):
    return screen_again(clock, Plan(), [first], title="cheap", seconds=6.0, spare=spare)[0]


def test_a_real_gain_is_seen_when_the_doubtful_is_measured_again(clock, again):
    measured = again(1.06, 1.06)
    found = looked(clock, result(1.06, error=0.03))

    assert [title for title, _ in measured] == ["cheap, again 1"]
    assert found.is_promising
    assert found.gain.ratio == pytest.approx(1.06)


def test_doubt_ends_after_two_more_replicates_or_with_the_time(clock, again):
    measured = again(1.03, 1.02)
    assert not looked(clock, result(1.03, error=0.05)).is_promising
    assert len(measured) == 2

    assert looked(clock, result(1.03, error=0.05), spare=5.0).is_doubtful
    assert len(measured) == 2


def test_who_is_not_in_doubt_is_left_alone(clock, again):
    measured = again()
    assert looked(clock, result(1.2, error=0.01)).is_promising
    assert not measured
