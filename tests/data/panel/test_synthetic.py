import numpy as np
import polars as pl
import pytest

from hotloop.data.panel.shuffled import write_shuffled_panel
from hotloop.data.panel.synthetic import SyntheticPanel, write_synthetic_panel
from hotloop.errors import PanelError


def told(frame):
    """The sum of the standardised features in which a signal is planted."""
    names = [f"feature_{number:03d}" for number in range(3)]
    return frame.select(pl.sum_horizontal((pl.col(name) - pl.col(name).mean()) / pl.col(name).std() for name in names))


def correlation(file):
    frame = pl.read_parquet(file).drop_nulls()
    return np.corrcoef(told(frame).to_numpy()[:, 0], frame["target_1d"].to_numpy())[0, 1]


def test_the_same_seed_makes_the_same_panel_and_another_one_another(tmp_path):
    panels = [SyntheticPanel(codes=4, days=40, seed=seed) for seed in (1, 1, 2)]
    files = [write_synthetic_panel(tmp_path / f"{n}.parquet", panel) for n, panel in enumerate(panels)]
    first, again, other = map(pl.read_parquet, files)
    assert first.equals(again)
    assert not first.equals(other)


def test_a_panel_has_sectors_halted_days_listings_and_delistings(tmp_path):
    panel = SyntheticPanel(codes=100, days=60, delisted=0.1)
    frame = pl.read_parquet(write_synthetic_panel(tmp_path / "panel.parquet", panel))
    by_code = frame.group_by("code").agg(pl.len(), pl.col("date").min().alias("first"), pl.col("date").max())
    assert frame["sector"].n_unique() > 20
    assert (by_code["len"] < 60).sum() > 30
    assert (by_code["date"] < frame["date"].max()).sum() > 5
    assert (by_code["first"] > frame["date"].min()).sum() > 5
    assert set(panel.feature_names) < set(frame.columns)


def test_targets_are_sums_of_the_next_returns(tmp_path):
    panel = SyntheticPanel(codes=2, days=50, missing=0.0, delisted=0.0)
    frame = pl.read_parquet(write_synthetic_panel(tmp_path / "panel.parquet", panel))[:50]
    returns = frame["return_1d"].to_numpy()
    np.testing.assert_allclose(frame["target_5d"].to_numpy()[7], returns[8:13].sum(), rtol=1e-4)
    assert frame["target_5d"].is_null().to_list() == [False] * 45 + [True] * 5


def test_the_signal_is_there_only_where_it_was_planted(tmp_path):
    panel = {"codes": 60, "days": 200}
    planted = write_synthetic_panel(tmp_path / "planted.parquet", SyntheticPanel(signal=0.3, **panel))
    nothing = write_synthetic_panel(tmp_path / "nothing.parquet", SyntheticPanel(signal=0.0, **panel))
    shuffled = write_shuffled_panel(planted, tmp_path / "shuffled.parquet")
    assert correlation(planted) > 0.15
    assert abs(correlation(nothing)) < 0.03
    assert abs(correlation(shuffled)) < 0.03


def test_shuffling_moves_targets_within_their_day_and_nothing_else(tmp_path):
    file = write_synthetic_panel(tmp_path / "panel.parquet", SyntheticPanel(codes=20, days=30))
    before = pl.read_parquet(file)
    after = pl.read_parquet(write_shuffled_panel(file, tmp_path / "shuffled.parquet")).sort("code", "date")
    targets = [name for name in before.columns if name.startswith("target_")]
    assert after.drop(targets).equals(before.drop(targets))
    assert not after.equals(before)
    by_day = [frame.select("date", *targets).sort("date", *targets) for frame in (before, after)]
    assert by_day[0].equals(by_day[1])


@pytest.mark.parametrize("wrong", [{"codes": 0}, {"features": 3}, {"signal": 1.0}, {"horizons": ()}])
def test_panels_that_cannot_be_made_are_refused(wrong):
    with pytest.raises(PanelError, match="got"):
        SyntheticPanel(**wrong)
