"""The length of all gradients at every step: what acts at one step that nothing is sketched of is seen."""

from dataclasses import replace

import pytest
from observations import make_run

from hotloop.verify.gradient_norms import differences_in_gradient_norms
from hotloop.verify.tolerance import FP32, REDUCED
from hotloop.worker.observation import Observation, OptimizerSteps


def run_of(*rows: tuple[float, float], recorded: tuple[int, ...] = ()) -> Observation:
    steps = OptimizerSteps(
        names=("a", "b"), gradients=rows, updates=rows, moved=tuple(1.0 for _ in rows), recorded=recorded
    )
    return replace(make_run(), optimizers=(steps,))


EVEN = ((3.0, 4.0),) * 6


def test_equal_lengths_are_no_difference() -> None:
    assert differences_in_gradient_norms(run_of(*EVEN), run_of(*EVEN), [], FP32) == []


def test_the_first_step_that_is_off_is_named() -> None:
    (told,) = differences_in_gradient_norms(run_of(*EVEN[:4], (6.0, 8.0), (9.0, 12.0)), run_of(*EVEN), [], FP32)
    assert "step 5 of optimizer 0" in told
    assert "1.0e+00 (limit 2.0e-02)" in told


def test_a_step_is_named_by_its_own_number_where_not_all_were_recorded() -> None:
    ours, theirs = (run_of(*EVEN[:2], row, recorded=(1, 2, 40)) for row in ((6.0, 8.0), (3.0, 4.0)))
    assert "step 40 of" in differences_in_gradient_norms(ours, theirs, [], FP32)[0]


def test_noise_of_that_step_or_before_it_explains_a_difference_and_noise_after_it_does_not() -> None:
    longer = run_of(*EVEN[:3], (3.6, 4.8), *EVEN[:2])
    early, late = run_of(EVEN[0], (3.3, 4.4), *EVEN[:4]), run_of(*EVEN[:5], (3.3, 4.4))
    assert differences_in_gradient_norms(longer, run_of(*EVEN), [early], REDUCED) == []
    assert differences_in_gradient_norms(longer, run_of(*EVEN), [late], REDUCED)


@pytest.mark.parametrize("row", [(0.0, 0.001), (-1.0, 0.0)], ids=["tiny", "no gradient"])
def test_where_there_is_next_to_no_gradient_its_length_says_nothing(row: tuple[float, float]) -> None:
    ours, theirs = run_of(*EVEN[:5], (0.0, 0.002)), run_of(*EVEN[:5], row)
    assert differences_in_gradient_norms(ours, theirs, [], FP32) == []
