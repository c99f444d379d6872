import numpy as np
import pytest

from hotloop.data.panel import PanelScaler


def test_scores_are_robust_clipped_and_worked_out_in_float64():
    rows = np.random.default_rng(0).normal(1000.0, 1.0, (2001, 1)).astype(np.float32)
    rows[0] = 1e9
    scaler = PanelScaler.fit(rows, ("price",))
    values = rows[:, 0].astype(np.float64)
    deviation = np.median(np.abs(values - np.median(values)))
    assert scaler.center == (np.median(values),)
    assert scaler.scale == (1.4826 * deviation,)
    scores = scaler(rows)
    assert scores.dtype == np.float32
    assert scores[0] == 5.0
    np.testing.assert_allclose(scores[1:, 0].std(), 1.0, atol=0.05)


def test_where_half_of_the_values_are_equal_the_standard_deviation_serves():
    rows = np.zeros((100, 1), np.float32)
    rows[:20, 0] = np.arange(20)
    assert PanelScaler.fit(rows, ("flag",)).scale[0] == pytest.approx(rows.std())
