import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.train.phases.predictors.least_squares import LeastSquares


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=9),
    st.integers(1, 30),
    st.floats(0.5, 1.0),
    st.integers(0, 1000),
)
def test_agrees_with_numpy_lstsq_on_weighted_data(gaps, ahead, decay, seed) -> None:
    steps = [0, *np.cumsum(gaps).tolist()]
    values = np.random.default_rng(seed).normal(size=len(steps))
    roots = np.sqrt(decay ** np.arange(len(steps) - 1, -1, -1))
    times = np.array(steps) - steps[-1]
    design = np.stack([np.ones(len(steps)), times], axis=1)
    (baseline, velocity), *_ = np.linalg.lstsq(design * roots[:, None], values * roots, rcond=None)
    weights = LeastSquares(decay=decay).weights(steps, steps[-1] + ahead)
    assert np.dot(weights, values) == pytest.approx(baseline + velocity * ahead, rel=1e-5, abs=1e-5)


def test_one_gradient_is_repeated() -> None:
    assert LeastSquares().weights([7], 9) == [1.0]


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="window"):
        LeastSquares(window=1)
    with pytest.raises(ValueError, match="decay"):
        LeastSquares(decay=0.0)
