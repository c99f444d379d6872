"""Verdicts on comparisons and on counts, by figures with a known answer."""

import math

import pytest

from hotloop.compare.comparison import Comparison
from hotloop.estimate import Estimate
from hotloop.guard.limits import Limit
from hotloop.guard.metric import Quantity, judge_comparison, judge_count
from hotloop.verdict import Outcome

LIMIT = Limit(relative=0.02, absolute=1e-5, resolution=0.05)
STEP_TIME = Quantity(name="step_time", written=lambda value: f"{value:g} s")
THROUGHPUT = Quantity(name="throughput", written=lambda value: f"{value:g}/s", larger_is_worse=False)
QUIET = (0.001, -0.001, 0.0)


def estimates(*percents):
    return [Estimate(log_ratio=-math.log1p(value), standard_error=1e-4, rounds=12) for value in percents]


def judged(*percents, aa=QUIET, base=1.0, limit=LIMIT, quantity=STEP_TIME):
    return judge_comparison(
        quantity, Comparison(estimates(*percents), estimates(*aa)), limit, base=base, head=base * 1.1
    )


@pytest.mark.parametrize(
    ("percents", "outcome"),
    [
        ((0.10, 0.101, 0.099), Outcome.FAIL),
        ((0.001, -0.002, 0.0), Outcome.PASS),
        ((-0.10, -0.101, -0.099), Outcome.PASS),
        ((0.03, -0.05, 0.09), Outcome.INCONCLUSIVE),
        ((0.10, 0.10), Outcome.INCONCLUSIVE),
    ],
)
def test_a_step_time_is_judged_by_its_interval(percents, outcome):
    assert judged(*percents).verdict is outcome


def test_the_ratio_is_head_over_base_in_the_unit_of_the_metric():
    slower, throughput = (judged(0.10, 0.101, 0.099, quantity=quantity) for quantity in (STEP_TIME, THROUGHPUT))
    assert slower.low < 1.10 < slower.high
    assert throughput.low < 1 / 1.10 < throughput.high
    assert slower.verdict is throughput.verdict is Outcome.FAIL


def test_a_share_of_a_small_figure_is_no_regression():
    small = judged(0.10, 0.101, 0.099, base=5e-5)
    assert small.verdict is Outcome.PASS
    assert judged(0.10, 0.101, 0.099, base=5e-4).verdict is Outcome.FAIL


def test_a_machine_that_invents_as_much_itself_proves_nothing():
    assert judged(0.10, 0.101, 0.099, aa=(0.11, 0.12, 0.10)).verdict is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("base", "head", "limit", "outcome"),
    [
        (0, 1, Limit(relative=0.0), Outcome.FAIL),
        (2, 2, Limit(relative=0.0), Outcome.PASS),
        (2, 1, Limit(relative=0.0), Outcome.PASS),
        (2, 3, Limit(relative=0.0, absolute=1.0), Outcome.PASS),
        (2, 3, Limit(relative=0.5), Outcome.PASS),
    ],
)
def test_counts_are_judged_exactly(base, head, limit, outcome):
    found = judge_count("host_reads", base, head, limit, where=["train.py:3: item"])
    assert found.verdict is outcome
    assert ("train.py:3" in found.message) == (head > base)


def test_an_infinite_bound_is_no_number_in_json():
    data = judged(0.10, -0.9, 5.0).to_data()
    assert all(value is None or math.isfinite(value) for value in data.values() if not isinstance(value, str))
    assert data["verdict"] == "INCONCLUSIVE"
