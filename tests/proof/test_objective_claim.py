"""What is claimed under each objective: comparisons are written by hand."""

import math

import pytest

from hotloop.compare.comparison import Comparison
from hotloop.estimate import Estimate
from hotloop.objective import Objective
from hotloop.proof.objective_claim import ObjectiveClaim
from hotloop.verdict import Outcome, worst

QUIET, NOISY = 0.001, 0.1


def comparison(ratio, *, spread=QUIET, replicates=4):
    logs = [math.log(ratio) + spread * (number % 2 - 0.5) for number in range(replicates)]
    aa = [spread * (number % 2 - 0.5) for number in range(replicates)]
    return Comparison(
        *([Estimate(log_ratio=log, standard_error=0.0, rounds=9) for log in found] for found in (logs, aa))
    )


def claim(objective, *, speed, memory, **how):
    speed = comparison(speed, **how)
    return ObjectiveClaim(objective=objective, speed=speed, memory=comparison(memory), speed_verdict=speed.verdict())


@pytest.mark.parametrize(
    ("speed", "memory", "outcome", "words"),
    [
        (0.8, 1.4, Outcome.PASS, "proven to need less memory: 1.400"),
        (2.0, 1.4, Outcome.PASS, "steps take no longer than allowed, which is 1.5 times as long"),
        (0.6, 1.4, Outcome.FAIL, "steps are proven to take longer than allowed"),
        (1.5, 0.7, Outcome.FAIL, "proven to need more memory"),
        (1.5, 1.0, Outcome.FAIL, "any saving of memory is proven to be too small to claim"),
    ],
)
def test_for_memory_less_must_be_proven_and_steps_may_take_half_as_long_again(speed, memory, outcome, words):
    verdicts = claim(Objective.MEMORY, speed=speed, memory=memory).verdicts()
    assert worst(verdicts) is outcome
    assert [verdict.gate for verdict in verdicts] == ["memory", "speed"]
    assert any(words in verdict.message for verdict in verdicts)


@pytest.mark.parametrize(
    ("speed", "memory", "outcome"),
    [
        (1.3, 1.2, Outcome.PASS),
        (1.3, 1.0, Outcome.PASS),
        (1.0, 1.3, Outcome.PASS),
        (1.3, 0.8, Outcome.FAIL),
        (0.8, 1.3, Outcome.FAIL),
        (1.0, 1.0, Outcome.FAIL),
    ],
)
def test_for_both_one_must_be_better_and_none_worse(speed, memory, outcome):
    assert worst(claim(Objective.BOTH, speed=speed, memory=memory).verdicts()) is outcome


@pytest.mark.parametrize(("objective", "speed"), [(Objective.MEMORY, 0.68), (Objective.BOTH, 0.98)])
def test_what_noise_hides_is_no_claim(objective, speed):
    found = claim(objective, speed=speed, memory=1.4, spread=NOISY)
    assert worst(found.verdicts()) is Outcome.INCONCLUSIVE
    assert not found.is_decided


@pytest.mark.parametrize("objective", Objective)
def test_two_replicates_claim_nothing(objective):
    found = claim(objective, speed=1.5, memory=1.5, replicates=2)
    assert worst(found.verdicts()) is Outcome.INCONCLUSIVE
    assert not found.is_decided


def test_for_throughput_memory_says_nothing():
    found = claim(Objective.THROUGHPUT, speed=1.5, memory=0.5)
    assert [verdict.gate for verdict in found.verdicts()] == ["speed"]
    assert found.verdicts()[0].passed
    assert found.is_decided
