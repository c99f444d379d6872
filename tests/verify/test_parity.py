"""The parity gate on runs whose last losses are known."""

import numpy as np
import pytest

from hotloop.compare.learning_run import LearningRun
from hotloop.verdict import Outcome
from hotloop.verify.parity import parity_verdict


def runs(last: float, *, count: int = 4, noise: float = 0.005, first: int = 0) -> list[LearningRun]:
    """Losses from 1 down to `last`, with noise between seeds."""
    ends = last + noise * np.random.default_rng(first).standard_normal(count)
    return [
        LearningRun(losses=(1 + (end - 1) * np.linspace(0.01, 1, 100)).tolist(), seconds=[0.01] * 100) for end in ends
    ]


@pytest.mark.parametrize(
    ("last", "outcome", "words"),
    [
        (0.2, Outcome.PASS, "is no higher"),
        (0.1, Outcome.PASS, "is lower, so this is another training"),
        (0.4, Outcome.FAIL, "the loss is higher"),
        (float("inf"), Outcome.FAIL, "of 4 runs under the plan is not finite"),
    ],
)
def test_a_last_loss_may_not_be_higher_by_more_than_the_margin(last: float, outcome: Outcome, words: str) -> None:
    verdict = parity_verdict(runs(last, first=1), runs(0.2))
    assert (verdict.gate, verdict.outcome) == ("parity", outcome)
    assert words in verdict.message


def test_too_few_runs_and_too_wide_a_spread_are_inconclusive() -> None:
    few, wide = parity_verdict(runs(0.2, count=3), runs(0.2, count=3)), parity_verdict(runs(0.2, noise=0.2), runs(0.2))
    assert {few.outcome, wide.outcome} == {Outcome.INCONCLUSIVE}
    assert "4 are needed" in few.message
    assert "would be needed" in wide.message


def test_runs_are_compared_at_equal_steps() -> None:
    short = [LearningRun(losses=run.losses[:60], seconds=run.seconds[:60]) for run in runs(0.2, first=1)]
    verdict = parity_verdict(short, runs(0.2))
    assert verdict.passed
    assert "after 60 steps" in verdict.message
