"""What every built-in predictor keeps."""

import pytest

from hotloop import registry

PREDICTORS = registry.names("predictors")


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_weight_for_each_gradient_and_the_same_each_time(name: str) -> None:
    predictor = registry.load("predictors", name)()
    for num in range(1, predictor.num_gradients + 1):
        steps = list(range(3, 3 + num))
        weights = predictor.weights(steps, 3 + num)
        assert len(weights) == num
        assert weights == predictor.weights(steps, 3 + num)


@pytest.mark.parametrize("name", sorted(set(PREDICTORS) - {"coast"}))
def test_a_gradient_that_never_changes_is_predicted_exactly(name: str) -> None:
    predictor = registry.load("predictors", name)()
    steps = list(range(predictor.num_gradients))
    assert sum(predictor.weights(steps, len(steps) + 3)) == pytest.approx(1.0)


def test_coast_predicts_nothing() -> None:
    assert registry.load("predictors", "coast")().weights([0, 1], 2) == [0.0, 0.0]


def test_all_of_the_issue_are_there() -> None:
    assert PREDICTORS == ("coast", "hold", "least_squares", "momentum")
