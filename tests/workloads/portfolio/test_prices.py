import numpy as np
import pytest

from hotloop.errors import WorkloadError
from hotloop.workloads.portfolio import read_prices, sp500_prices, synthetic_prices, write_prices


def test_synthetic_prices_have_the_shape_of_the_benchmark_and_follow_the_seed():
    prices = synthetic_prices(3)
    assert prices.values.shape == (506, 2)
    assert prices.names == ("open", "close")
    np.testing.assert_array_equal(prices.values, synthetic_prices(3).values)
    assert not np.array_equal(prices.values, synthetic_prices(4).values)


def test_synthetic_prices_move_like_a_stock():
    moves = np.diff(np.log(synthetic_prices(0, days=4000).values[:, 1]))
    assert 0.008 < moves.std() < 0.04
    assert (moves**4).mean() / (moves**2).mean() ** 2 > 3.3  # fat tails, from volatility that comes in spells


def test_prices_survive_a_csv_file_to_the_last_bit(tmp_path):
    prices = synthetic_prices(1, days=20, assets=2)
    write_prices(prices, tmp_path / "p.csv")
    again = read_prices(tmp_path / "p.csv")
    assert (again.dates, again.names) == (prices.dates, prices.names)
    np.testing.assert_array_equal(again.values, prices.values)
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_columns_can_be_chosen_in_any_order(tmp_path):
    write_prices(synthetic_prices(1, days=5), tmp_path / "p.csv")
    assert read_prices(tmp_path / "p.csv", columns=["close", "open"]).names == ("close", "open")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day,close\n2020-01-01,1\n", "has the columns day, close, which lack date"),
        ("date\n2020-01-01\n", "which lack any price"),
        ("", "has the columns none"),
        ("date,close\n01.02.2020,1\n", "line 2: '01.02.2020' is not a date"),
        ("date,close\n2020-01-01,1\n2020-01-02,\n", "line 3: got {'close': ''}"),
        ("date,open,close\n2020-01-01,1\n", "line 2: got .*None"),
        ("date,close\n2020-01-01,1\n2020-01-02,-3\n", "price of 'close' on 2020-01-02 is -3.0"),
        ("date,close\n2020-01-01,1\n2020-01-02,nan\n", "price of 'close' on 2020-01-02 is nan"),
        ("date,close\n2020-01-02,1\n2020-01-01,2\n", "2020-01-01 follows 2020-01-02; dates must ascend"),
        ("date,close\n2020-01-02,1\n", "at least 2 dates"),
    ],
)
def test_a_file_that_holds_no_prices_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(WorkloadError, match=message):
        read_prices(tmp_path / "p.csv")


def test_a_missing_file_is_named():
    with pytest.raises(WorkloadError, match=r"no such file: nowhere\.csv"):
        read_prices("nowhere.csv")


def test_real_prices_load_without_a_network(monkeypatch):
    pytest.importorskip("skfolio")
    import socket

    def refuse(*args):
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    prices = sp500_prices()
    assert prices.values.shape == (8313, 20)
    assert prices.dates[0].isoformat() == "1990-01-02"
