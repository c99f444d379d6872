"""Which of two figures is quoted: series are written by hand, the choice is the real thing."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from hotloop.compare.comparison import Comparison
from hotloop.compare.replicate import Pace, Replicate, Stretches
from hotloop.compare.series import AGAIN
from hotloop.estimate import Estimate
from hotloop.measurement import Block
from hotloop.proof.confirm import Payback, is_sharp
from hotloop.proof.two_ways import PLAN, TwoWays
from hotloop.verdict import Outcome


def estimates(ratios: Sequence[float]) -> list[Estimate]:
    return [Estimate(log_ratio=math.log(ratio), standard_error=0.001, rounds=12) for ratio in ratios]


class WrittenSeries:
    """What TwoWays asks of a series: ratios of each replicate, and what `measure_alone` is to find."""

    def __init__(self, *ratios: float, works_beside: bool = False, found: Stretches | None = None) -> None:
        self.ratios = ratios
        self.works_beside = works_beside
        self.is_lockstep_possible = True
        self.memory_note = ""
        self.failures: dict[str, object] = {}
        self.replicates: list[object] = []
        self.stretches: list[Stretches] = []
        self.at_once = 3
        self.asked: list[Pace | None] = []
        self._found = found

    def comparison(self, arm: str) -> Comparison:
        same = estimates([1.0, 1.001, 0.999])
        return Comparison(same if arm == AGAIN else estimates(self.ratios), same)

    def alone(self, arm: str, *, trimmed: bool = False) -> Comparison:
        return self.comparison(arm)

    def measure_alone(self, seconds: float, *, then: Pace | None) -> Stretches:
        assert self._found is not None
        self.asked.append(then)
        self.stretches.append(self._found)
        return self._found

    def measure(self, pace: Pace) -> None:
        self.replicates.append(pace)

    def add(self, replicate: Replicate) -> None:
        self.replicates.append(replicate)


def two_ways(lockstep: WrittenSeries, stretches: WrittenSeries, *, changes_loading: bool = False) -> TwoWays:
    return TwoWays(lockstep=lockstep, stretches=stretches, changes_loading=changes_loading)


def test_where_both_agree_the_steadier_is_quoted() -> None:
    both = two_ways(WrittenSeries(1.5, 1.51, 1.49), WrittenSeries(1.4, 1.6, 1.5))
    assert both.method == "in lockstep"
    assert both.quoted.interval.ratio == pytest.approx(1.5, abs=1e-3)
    assert both.verdict().passed


def test_where_they_disagree_the_uninterrupted_one_stands_and_that_is_said() -> None:
    both = two_ways(WrittenSeries(4.0, 4.01, 4.02), WrittenSeries(1.2, 1.21, 1.19))
    assert both.method == "without interruption"
    assert both.quoted.interval.ratio == pytest.approx(1.2, abs=1e-3)
    assert any("disagree" in note for note in both.notes())


@pytest.mark.parametrize("loading", [False, True])
def test_where_something_works_beside_the_steps_lockstep_does_not_count(loading: bool) -> None:
    both = two_ways(
        WrittenSeries(1.5, 1.5, 1.5), WrittenSeries(1.4, 1.41, 1.4, works_beside=not loading), changes_loading=loading
    )
    assert both.method == "without interruption"
    assert both.step is not both.lockstep
    assert any("one arm at a time" in note for note in both.notes())


def test_a_faster_step_in_a_slower_program_is_no_claim() -> None:
    both = two_ways(WrittenSeries(1.1, 1.1, 1.1), WrittenSeries(0.5, 0.8, 1.4))
    slower = WrittenSeries(0.8, 0.8, 0.8)
    stretches = SimpleNamespace(
        alone=lambda arm, trimmed=False: (both.stretches if trimmed else slower).comparison(arm), works_beside=False
    )
    verdict = two_ways(WrittenSeries(1.1, 1.1, 1.1), stretches).verdict()
    assert verdict.outcome is Outcome.FAIL
    assert "a step is faster, the program is not" in verdict.message


def test_processes_go_on_in_lockstep_until_they_once_could_not() -> None:
    block = Block(replicate=0, round=0, arm=PLAN, wall=(1.0,), cpu=(1.0,), cuda=(), losses=())
    lockstep = WrittenSeries(1.0)
    going_on = WrittenSeries(1.0, found=Stretches(arms={}, lockstep=Replicate(blocks=(block,))))
    two_ways(lockstep, going_on).measure(60.0)
    assert isinstance(lockstep.replicates[0], Replicate)

    fresh, ending = WrittenSeries(1.0), WrittenSeries(1.0, found=Stretches(arms={}))
    both = two_ways(fresh, ending)
    both.measure(60.0)
    both.measure(60.0)
    assert [isinstance(one, Pace) for one in fresh.replicates] == [True, True]
    assert [then is None for then in ending.asked] == [False, True]


def test_where_only_stretches_count_nothing_is_measured_in_lockstep() -> None:
    lockstep, stretches = WrittenSeries(1.0), WrittenSeries(1.0, works_beside=True, found=Stretches(arms={}))
    two_ways(lockstep, stretches, changes_loading=True).measure(60.0)
    assert lockstep.replicates == []
    assert stretches.asked == [None]


@pytest.mark.parametrize(
    ("ratios", "sharp"),
    [((1.5, 1.5, 1.5), True), ((1.2, 1.5, 1.8), True), ((1.4, 1.5, 1.6), False), ((1.35, 1.5, 1.6) * 2, True)],
    ids=["narrow", "no gain yet", "wide", "six replicates"],
)
def test_a_gain_is_quoted_when_its_interval_is_narrow_or_six_replicates_saw_it(
    ratios: tuple[float, ...], sharp: bool
) -> None:
    assert is_sharp(WrittenSeries(*ratios).comparison(PLAN)) is sharp


def test_a_plan_that_saves_nothing_never_pays_back() -> None:
    assert Payback.of(baseline_step=1.0, plan_step=1.0, spent=0.0) == Payback()
    assert Payback.of(baseline_step=1.0, plan_step=0.5, spent=10.0) == Payback(steps=20, seconds=20.0)
