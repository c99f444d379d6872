import pytest

from hotloop.train.phases.predictors.momentum import Momentum


def test_two_gradients_are_extended_whatever_the_step() -> None:
    assert Momentum().weights([0, 1], 2) == Momentum().weights([0, 1], 9) == [-0.9, 1.9]


def test_one_gradient_is_repeated() -> None:
    assert Momentum().weights([4], 5) == [1.0]


def test_a_negative_gain_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        Momentum(momentum=-0.1)
