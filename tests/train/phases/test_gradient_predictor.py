import pytest
import torch

from hotloop.errors import PhaseError
from hotloop.train import PhaseConfig, PhaseScheduler
from hotloop.train.phases.gradient_predictor import GradientPredictor
from hotloop.train.phases.predictors.least_squares import LeastSquares
from hotloop.train.phases.predictors.momentum import Momentum


def followed(predictor, gradient, steps, **schedule):
    """Predictions by step, of a scalar gradient that is a function of the step, over the schedule W3 F2 P4 C2."""
    config = PhaseConfig(
        mode="deterministic", warmup_steps=3, full_steps=2, predict_steps=4, correct_every=2, adaptive_phases=False
    )
    scheduler, predictions = PhaseScheduler(config), {}
    for step in range(steps):
        info = scheduler.begin_step()
        true = torch.tensor([gradient(step)], dtype=torch.float32)
        if info.needs_backward:
            if str(info.phase) == "CORRECT":
                predictor.check(true, step)
            predictor.record(true, step)
        else:
            predictions[step] = predictor.predict(step).item()
        scheduler.end_step()
    return predictions


def test_a_line_is_predicted_exactly() -> None:
    predictions = followed(GradientPredictor("least_squares", size=1), lambda t: 1 + 0.1 * t, 13)
    assert [predictions[step] for step in (5, 6, 8, 12)] == pytest.approx([1.5, 1.6, 1.8, 2.2], abs=1e-5)


def test_a_parabola_is_predicted_as_upstream_did_with_its_residual() -> None:
    predictor = GradientPredictor("least_squares", size=1, residual_gain=0.05)
    predictions = followed(predictor, lambda t: 0.01 * t * t, 20)
    expected = {5: 0.18212, 6: 0.22284, 8: 0.51799, 12: 1.21879, 13: 1.33199, 15: 1.84594, 19: 3.28096}
    assert {step: predictions[step] for step in expected} == pytest.approx(expected, abs=1e-5)


def test_defect_9_no_residual_is_added_to_a_model_that_was_fitted_anew() -> None:
    # A jump of the gradient is in the fit at the next record; upstream added its error once more.
    true = torch.ones(1)
    with_residual, without = (GradientPredictor("hold", size=1, residual_gain=gain) for gain in (0.05, 0.0))
    for predictor in (with_residual, without):
        predictor.record(torch.zeros(1), 0)
        predictor.check(true, 2)
        predictor.record(true, 2)
    assert without.predict(3).item() == 1.0
    assert with_residual.predict(3).item() == pytest.approx(1.05)


def test_legacy_vectors_of_momentum() -> None:
    predictor = GradientPredictor(Momentum(momentum=0.9), size=1)
    with pytest.raises(PhaseError, match="nothing was recorded"):
        predictor.predict(0)
    predictor.record(torch.tensor([1.0]), 0)
    assert predictor.predict(1).item() == 1.0
    predictor.record(torch.tensor([2.0]), 1)
    assert [predictor.predict(step).item() for step in (2, 3, 40)] == pytest.approx([2.9] * 3)
    assert predictor.check(torch.tensor([3.5]), 41).error.item() == pytest.approx(0.6)


def test_a_check_measures_the_angle_and_the_relative_error() -> None:
    predictor = GradientPredictor("hold", size=2)
    predictor.record(torch.tensor([3.0, 0.0]), 0)
    check = predictor.check(torch.tensor([3.0, 4.0]), 1)
    assert check.figures.tolist() == pytest.approx([0.6, 0.8])


def test_a_function_gets_the_rows_in_order() -> None:
    seen = []

    def newest_twice(rows, steps, step):
        seen.append((rows[:, 0].tolist(), list(steps), step))
        return 2 * rows[-1]

    predictor = GradientPredictor(newest_twice, size=1, num_gradients=3)
    for step in range(5):
        predictor.record(torch.tensor([float(step)]), step)
    assert predictor.predict(6).item() == 8.0
    assert seen == [([2.0, 3.0, 4.0], [2, 3, 4], 6)]


def test_a_function_that_returns_another_shape_is_refused() -> None:
    predictor = GradientPredictor(lambda rows, steps, step: rows, size=3)
    predictor.record(torch.zeros(3), 0)
    with pytest.raises(ValueError, match=r"flat gradient has shape \(3,\)"):
        predictor.predict(1)


@pytest.mark.parametrize("wrong", ["no_such", 3])
def test_an_unknown_predictor_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="predictor: got"):
        GradientPredictor(wrong, size=1)


def test_the_cost_of_a_prediction_is_one_pass_over_the_window() -> None:
    # Row 16: the operators that run do not depend on the window, and the product reads exactly its rows.
    for window in (4, 16, 64):
        predictor = GradientPredictor(LeastSquares(window=window), size=1000)
        for step in range(window + 5):
            predictor.record(torch.ones(1000), step)
        assert predictor.store.nbytes == (window + 2) * 1000 * 4
        with torch.profiler.profile(record_shapes=True) as profile:
            predictor.predict(window + 6)
        products = [event for event in profile.events() if event.name == "aten::mv"]
        assert [event.input_shapes[:2] for event in products] == [[[1000, window + 2], [window + 2]]]
