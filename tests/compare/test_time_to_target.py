"""Times to a target loss on runs whose answer is known."""

import numpy as np
import pytest

from hotloop.compare.learning_run import LearningRun
from hotloop.compare.time_to_target import TimeToTarget, runs_needed
from hotloop.verdict import Outcome


def run(seed: int, *, rate: float = 0.02, step: float = 0.01, steps: int = 200, noise: float = 0.02) -> LearningRun:
    """A loss that falls by `rate` a step, with noise of its seed, in steps of about the same time."""
    draws = np.random.default_rng(seed)
    losses = np.exp(-rate * np.arange(steps)) + 0.05 + noise * draws.standard_normal(steps)
    return LearningRun(losses=losses.tolist(), seconds=(step * draws.uniform(0.98, 1.02, steps)).tolist())


def runs(count: int = 4, first: int = 0, **changes: float) -> list[LearningRun]:
    return [run(first + seed, **changes) for seed in range(count)]


def test_a_plan_that_learns_half_again_as_fast_is_sooner() -> None:
    verdict = TimeToTarget(baseline=runs(), plan=runs(first=10, rate=0.03)).verdict()
    assert verdict.outcome is Outcome.PASS
    assert 1.3 < verdict.numbers["ratio"] < 1.7


def test_a_plan_with_faster_steps_that_learns_less_in_each_is_not() -> None:
    verdict = TimeToTarget(baseline=runs(), plan=runs(first=10, rate=0.008, step=0.005, steps=600)).verdict()
    assert verdict.outcome is Outcome.FAIL
    assert "proven later" in verdict.message


def test_what_never_reaches_the_target_is_told_in_runs() -> None:
    verdict = TimeToTarget(baseline=runs(), plan=runs(first=10, rate=0.001)).verdict()
    assert verdict.outcome is Outcome.FAIL
    assert "4 of 4 runs under the plan never reach a loss of" in verdict.message


def test_equal_programs_are_never_called_sooner_and_the_runs_that_it_would_take_are_named() -> None:
    verdicts = [TimeToTarget(baseline=runs(first=20 * n), plan=runs(first=20 * n + 10)).verdict() for n in range(20)]
    assert not any(verdict.passed for verdict in verdicts)
    assert any("runs of each would be needed" in verdict.message for verdict in verdicts)


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        (runs(3), "3 runs of each were made and 4 are needed"),
        ([run(0)] * 4, "the same losses, whatever the seed"),
        (runs(rate=0.0), "falls no further after the first tenth"),
        (runs(noise=float("nan")), "not finite"),
    ],
)
def test_what_cannot_be_told_says_why(baseline: list[LearningRun], words: str) -> None:
    verdict = TimeToTarget(baseline=baseline, plan=runs(len(baseline), first=10)).verdict()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert words in verdict.message


def test_every_run_of_the_baseline_has_reached_the_target_of_a_share_by_then() -> None:
    found = TimeToTarget(baseline=runs(), plan=())
    for share in (0.5, 0.9):
        assert all(
            (one.step_at(found.target(share), width=found.width) or 999) <= share * one.steps for one in found.baseline
        )


def test_runs_that_are_needed_grow_with_the_square() -> None:
    assert runs_needed(4, half=0.2, gap=0.1) == 16
    assert runs_needed(4, half=0.01, gap=0.1) == 5
