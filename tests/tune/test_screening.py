import math
from types import SimpleNamespace

import pytest

from hotloop.compare.comparison import Race
from hotloop.compare.replicate import Heat
from hotloop.measurement import Block, Clock, Interval
from hotloop.transform import Plan, describe
from hotloop.transforms.autocast import Autocast
from hotloop.tune import screening as contest
from hotloop.tune.screening import KEPT, Contender, _contender, look_again
from hotloop.verdict import Outcome, Verdict

NAME = describe(Autocast())


def contender(median, *, error):
    low, high = (median * math.exp(sign * 2 * error) for sign in (-1, 1))
    return Contender(name=NAME, plan=Plan((Autocast(),)), gain=Interval(median=median, low=low, high=high))


@pytest.fixture
def race(program):
    """A race whose heats are written by hand: seconds of a step by arm, one mapping a heat."""

    def write(*heats):
        race = Race(program("mlp"), {arm: Plan() for arm in heats[0]}, None, clock=Clock.WALL, order=None)
        for pair, arms in enumerate(heats):
            race.heats.append(Heat(blocks=tuple(blocks(pair, arms)), startup=dict.fromkeys(arms, 1.0)))
        return race

    return write


def blocks(pair, arms):
    for number in range(8):
        for arm, seconds in arms.items():
            steps = tuple(seconds * (1 + 0.002 * (number % 3)) for _ in range(4))
            yield Block(pair=pair, round=number, arm=arm, wall=steps, cpu=steps)


@pytest.mark.parametrize(
    ("median", "error", "expected"),
    [(1.05, 0.01, True), (1.005, 0.001, False), (1.03, 0.03, False), (0.9, 0.001, False), (1.5, 0.1, True)],
)
def test_a_gain_is_promising_beyond_one_percent_and_one_standard_error(median, error, expected):
    assert contender(median, error=error).is_promising is expected


def test_what_failed_is_not_promising():
    failure = Verdict(gate="runs", outcome=Outcome.FAIL, message="it crashed")
    assert not Contender(name=NAME, plan=Plan((Autocast(),)), failure=failure).is_promising


def test_a_contender_is_judged_by_its_heat_with_the_usual_spread_between_pairs(race):
    found = _contender(race({KEPT: 1.0, NAME: 0.8}), NAME, Plan((Autocast(),)))
    assert found.gain is not None
    assert found.gain.median == pytest.approx(1.25, rel=0.01)
    assert math.log(found.gain.high / found.gain.median) >= 2 * 0.01 - 1e-9


def test_heats_are_averaged_and_narrow_the_interval(race):
    one = _contender(race({KEPT: 1.0, NAME: 0.8}), NAME, Plan((Autocast(),)))
    two = _contender(race({KEPT: 1.0, NAME: 0.8}, {KEPT: 1.0, NAME: 0.64}), NAME, Plan((Autocast(),)))
    assert two.gain is not None
    assert one.gain is not None
    assert two.gain.median == pytest.approx(1.25**1.5, rel=0.01)
    assert two.gain.high / two.gain.low < one.gain.high / one.gain.low


@pytest.mark.parametrize(
    ("median", "error", "expected"),
    [(1.05, 0.01, False), (1.03, 0.03, True), (1.005, 0.01, False), (0.97, 0.05, False)],
)
def test_a_gain_inside_its_own_error_is_doubtful(median, error, expected):
    assert contender(median, error=error).is_doubtful is expected


@pytest.fixture
def clock():
    """A session that only has a clock: every race takes ten seconds of it."""
    return SimpleNamespace(elapsed=0.0, progress=SimpleNamespace(say=lambda line: None))


@pytest.fixture
def heats(monkeypatch, clock):
    """Makes the heats of second looks show these gains, one after another; keeps who was raced."""
    raced = []

    def show(*gains):
        def hold(_session, _kept, plans, *, title, seconds):
            raced.append((title, list(plans)))
            clock.elapsed += 10.0
            return (contender(gains[len(raced) - 1], error=0.03),)

        monkeypatch.setattr(contest, "hold_contest", hold)
        return raced

    return show


def looked(clock, first, *, spare=60.0):
    return look_again(clock, Plan(), [first], title="cheap", seconds=6.0, spare=spare)[0]


def test_a_real_gain_is_seen_when_the_doubtful_is_raced_again(clock, heats):
    raced = heats(1.05, 1.05)
    found = looked(clock, contender(1.035, error=0.03))

    assert [title for title, _ in raced] == ["cheap, look 2"]
    assert found.is_promising
    assert found.gain.median == pytest.approx(math.sqrt(1.035 * 1.05))


def test_doubt_ends_after_two_more_looks_or_with_the_time(clock, heats):
    raced = heats(1.03, 1.02)
    assert not looked(clock, contender(1.03, error=0.05)).is_promising
    assert len(raced) == 2

    assert looked(clock, contender(1.03, error=0.05), spare=5.0).is_doubtful
    assert len(raced) == 2


def test_who_is_not_in_doubt_is_left_alone(clock, heats):
    raced = heats()
    assert looked(clock, contender(1.2, error=0.01)).is_promising
    assert not raced
