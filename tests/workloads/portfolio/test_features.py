import subprocess
import sys

import numpy as np
import pytest
import torch

from hotloop.errors import WorkloadError
from hotloop.train.rewards.multiplicative_return import MultiplicativeReturn
from hotloop.workloads.portfolio import load, prices_of_log_returns, series_of, synthetic_prices, write_prices


def test_dense_series_are_log_returns_with_a_first_row_of_zeros():
    prices = synthetic_prices(0)
    series = series_of(prices)
    assert series.X.shape == series.y.shape == (506, 2)
    assert not series.X[0].any()
    np.testing.assert_allclose(np.exp(series.X[1:]), prices.values[1:] / prices.values[:-1], rtol=1e-6)


def test_conv_series_are_windows_and_the_return_after_each():
    prices = synthetic_prices(0)
    dense, conv = series_of(prices), series_of(prices, "conv")
    assert conv.X.shape == (490, 2, 4, 4)
    assert conv.y.shape == conv.prices.shape == (490, 2)
    np.testing.assert_array_equal(conv.X[7].reshape(2, 16), dense.X[7:23].T)
    np.testing.assert_array_equal(conv.y[7], dense.X[23])
    np.testing.assert_array_equal(conv.prices[7], prices.values[22])


@pytest.mark.parametrize("shape", ["dense", "conv"])
def test_prices_found_in_the_inputs_earn_what_the_real_prices_earn(shape):
    series = series_of(synthetic_prices(2), shape)
    inputs, prices = torch.from_numpy(series.X).double()[None, 50:90], torch.from_numpy(series.prices)[None, 50:90]
    actions = torch.rand(1, 40, 2, dtype=torch.float64).softmax(-1)
    found = MultiplicativeReturn()(actions, prices_of_log_returns(inputs), transition_penalty=0.01)
    torch.testing.assert_close(
        found, MultiplicativeReturn()(actions, prices, transition_penalty=0.01), rtol=1e-5, atol=1e-7
    )


def test_an_action_cannot_see_the_price_it_is_paid_with():
    prices = synthetic_prices(0)
    for shape in ("dense", "conv"):
        before = series_of(prices, shape)
        changed = prices.values.copy()
        changed[300:] *= 1.1
        after = series_of(type(prices)(dates=prices.dates, names=prices.names, values=changed), shape)
        last = np.flatnonzero((before.prices != after.prices).any(axis=1))[0]
        np.testing.assert_array_equal(before.X[:last], after.X[:last])


def test_parts_are_cut_in_time_and_cover_everything(tmp_path):
    parts = load(seed=5)
    series = series_of(synthetic_prices(5))
    joined = np.concatenate([parts[f"prices_{part}"] for part in ("train", "val", "test")])
    np.testing.assert_array_equal(joined, series.prices)
    write_prices(synthetic_prices(5), tmp_path / "p.csv")
    np.testing.assert_array_equal(load(source=str(tmp_path / "p.csv"))["X_test"], parts["X_test"])
    assert "X_test" not in load(test=0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "moon"}, "got the source 'moon'"),
        ({"val": 0.5, "test": 0.5}, "leave at least 2 steps"),
        ({"shape": "round"}, "got the shape 'round'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(WorkloadError, match=message):
        load(**options)


def test_too_few_dates_for_windows_are_named():
    with pytest.raises(WorkloadError, match="windows of 16 steps need 18"):
        series_of(synthetic_prices(0, days=17), "conv")


def test_nothing_of_it_loads_torch():
    code = "import sys, hotloop.workloads.portfolio as p; p.load(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
