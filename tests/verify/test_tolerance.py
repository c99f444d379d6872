import pytest

from hotloop.verify.tolerance import FP32, REDUCED, StepTolerance, Tolerance

BF16, TF32, FP32_ROUNDOFF = 2.0**-9, 2.0**-11, 2.0**-24


def test_reduced_precision_is_anything_coarser_than_fp32_by_far():
    assert Tolerance.of(BF16) is Tolerance.of(TF32) is REDUCED
    assert Tolerance.of(FP32_ROUNDOFF) is Tolerance.of(0.0) is FP32


def test_a_reduced_step_is_held_against_weights_with_one_rounding_of_noise():
    tolerance = StepTolerance.of(BF16, epsilon=2.0**-23)
    assert (tolerance.unit, tolerance.noise, tolerance.factor) == (BF16, BF16, 2.0)
    assert tolerance.reason == "2 x the error that weight noise of 2.0e-03 causes"


@pytest.mark.parametrize(("epsilon", "unit"), [(2.0**-23, FP32_ROUNDOFF), (2.0**-7, 2.0**-8)])
def test_another_step_is_held_against_eager_and_never_more_exact_than_its_weights(epsilon, unit):
    tolerance = StepTolerance.of(FP32_ROUNDOFF, epsilon=epsilon)
    assert (tolerance.unit, tolerance.noise, tolerance.reason) == (unit, 0.0, "10 x the error of eager")
