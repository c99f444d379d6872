from datetime import date

import numpy as np
import polars as pl
import pytest

from hotloop.data.panel import PanelStore
from hotloop.data.panel.real import panel_of_prices, write_sp500_panel


def test_real_prices_come_through_the_same_interface(tmp_path):
    store = PanelStore.build(write_sp500_panel(tmp_path / "sp500.parquet"), tmp_path, fit_until="2010-12-31")
    windows = store.windows(20)
    assert len(store.codes) == 20
    assert store.targets == ("target_1d", "target_5d", "target_10d", "target_20d")
    batch = windows.batch(windows.on("2015-06-01"))
    assert batch.features.shape == (20, 20, 7)
    assert batch.features.isfinite().all()


def test_features_look_back_and_targets_ahead():
    rng = np.random.default_rng(0)
    closes = np.exp(rng.normal(scale=0.01, size=400).cumsum())
    days = pl.date_range(date(2020, 1, 1), date(2021, 2, 3), eager=True)
    prices = pl.DataFrame({"date": days, "X": closes})
    panel = panel_of_prices(prices, horizons=(5,))
    changed = panel_of_prices(
        prices.with_columns(X=pl.Series(np.where(np.arange(400) > 300, 2.0, closes))), horizons=(5,)
    )
    known = panel["date"] <= days[300]
    assert panel.drop("target_5d").filter(known).equals(changed.drop("target_5d").filter(known))
    row = panel.filter(pl.col("date") == days[280]).row(0, named=True)
    assert row["return_20d"] == pytest.approx(np.log(closes[280] / closes[260]))
    assert row["target_5d"] == pytest.approx(np.log(closes[285] / closes[280]))
