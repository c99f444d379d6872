import multiprocessing
import pickle
from datetime import date
from multiprocessing.pool import ThreadPool

import numpy as np
import polars as pl
import pytest
import torch

from hotloop.data.panel import DaySpan, PanelColumns, PanelStore
from hotloop.errors import PanelError

NAN, INF = float("nan"), float("inf")
spawned = multiprocessing.get_context("spawn").Pool


def test_samples_are_bit_equal_to_those_read_and_scaled_item_by_item(made, store):
    frame = pl.read_parquet(made).sort("code", "date")
    windows = store.windows(20)
    for index in range(0, len(windows), 97):
        sample, end = windows[index], int(windows.end_W[index])
        raw = frame[end - 19 : end + 1].select(store.features).to_numpy().astype(np.float32)
        assert torch.equal(sample.features, torch.from_numpy(store.scaler(raw)))
        assert store.codes[sample.stock] == frame["code"][end]


def test_targets_are_those_of_the_last_row_and_stay_float32(made):
    store = PanelStore.build(made, made.parent / "half", dtype="bfloat16")
    frame = pl.read_parquet(made).sort("code", "date")
    sample, windows = store.windows(5)[17], store.windows(5)
    wanted = frame.select(store.targets).to_numpy()[windows.end_W[17]]
    assert sample.features.dtype is torch.bfloat16
    assert sample.targets.dtype is torch.float32
    np.testing.assert_array_equal(sample.targets.numpy(), wanted)


def test_bf16_is_cast_after_scaling_so_that_price_like_columns_keep_their_moves(rows, build):
    frame = rows((200, 200))
    half, full = build(frame, dtype="bfloat16"), build(frame, dtype="float32")
    exact = full.arrays.features_RF
    assert torch.equal(half.arrays.features_RF, exact.bfloat16())
    assert (half.arrays.features_RF.float() - exact).abs().max() < 0.02


def test_the_scaler_sees_nothing_after_the_training_span(rows, build):
    frame = rows((50, 50))
    later = frame.with_columns(
        price=pl.when(pl.col("date") > date(2020, 1, 20)).then(pl.col("price") * 7).otherwise(pl.col("price"))
    )
    first, second = (build(table, fit_until="2020-01-20") for table in (frame, later))
    assert first.scaler == second.scaler
    assert not torch.equal(first.arrays.features_RF, second.arrays.features_RF)


def test_a_span_that_the_scaler_saw_is_refused(rows, build):
    store = build(rows((50,)), fit_until="2020-01-20")
    store.check_unseen(DaySpan.between("2020-01-21", "2020-02-01"))
    with pytest.raises(PanelError, match="fitted on days up to 2020-01-20"):
        store.check_unseen(DaySpan.between("2020-01-20", "2020-02-01"))


def test_rows_in_any_order_and_in_several_files_make_the_same_store(rows, tmp_path):
    frame = rows((9, 7, 5))
    frame.write_parquet(tmp_path / "one.parquet")
    (tmp_path / "many").mkdir()
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=3)
    mixed[:8].write_parquet(tmp_path / "many" / "a.parquet")
    mixed[8:].write_parquet(tmp_path / "many" / "b.parquet")
    one, many = (PanelStore.build(tmp_path / name, tmp_path / "stores") for name in ("one.parquet", "many"))
    assert torch.equal(one.arrays.features_RF, many.arrays.features_RF)
    assert torch.equal(one.arrays.targets_RH, many.arrays.targets_RH)
    assert one.codes == many.codes == ("A", "B", "C")


def test_a_key_that_two_rows_share_is_named(rows, build):
    frame = rows()
    with pytest.raises(PanelError, match=r"1 rows repeat the code and date of another \(first A on 2020-01-03\)"):
        build(pl.concat([frame, frame[2:3]]))


@pytest.mark.parametrize("column", ["code", "date"])
def test_a_row_without_a_key_is_refused(rows, build, column):
    frame = rows().with_columns(pl.when(pl.int_range(pl.len()) == 3).then(None).otherwise(pl.col(column)).alias(column))
    with pytest.raises(PanelError, match=f"1 rows have no {column}"):
        build(frame)


def test_codes_of_floats_are_refused_and_integers_and_texts_are_the_same_stocks(rows, build):
    numbered = rows().with_columns(code=pl.col("code").replace_strict({"A": 1301, "B": 1305}))
    assert build(numbered).codes == build(numbered.with_columns(pl.col("code").cast(pl.String))).codes
    with pytest.raises(PanelError, match=r"code is Float64; codes are texts or integers"):
        build(numbered.with_columns(pl.col("code").cast(pl.Float64)))


def test_dates_that_are_texts_are_refused(rows, build):
    with pytest.raises(PanelError, match="date is String; dates are of type date"):
        build(rows().with_columns(pl.col("date").cast(pl.String)))


def test_missing_values_become_the_median_and_missing_targets_stay_missing(rows, build):
    frame = rows((10,)).with_columns(
        price=pl.when(pl.int_range(10) == 4).then(None).otherwise(pl.col("price")),
        target_1d=pl.when(pl.int_range(10) == 9).then(NAN).otherwise(pl.col("target_1d")),
    )
    store = build(frame)
    assert store.arrays.features_RF[4, 0] == 0.0
    assert torch.isnan(store.arrays.targets_RH[9, 0])
    assert store.scaler.missing[0] == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("price", INF, "price hold infinities"),
        ("target_1d", -INF, "target_1d hold infinities; a target is finite"),
        ("price", 1e300, "price hold infinities .or numbers beyond float32"),
    ],
)
def test_infinities_are_refused_by_the_name_of_their_column(rows, build, column, value, message):
    frame = rows().with_columns(pl.when(pl.int_range(10) == 9).then(value).otherwise(pl.col(column)).alias(column))
    with pytest.raises(PanelError, match=message):
        build(frame)


def test_a_column_without_a_value_in_training_is_refused(rows, build):
    with pytest.raises(PanelError, match="price have no value in the training span"):
        build(rows(price=pl.lit(None, dtype=pl.Float64)))


def test_a_constant_column_is_told(rows, build):
    with pytest.warns(UserWarning, match="volume are constant in the training span"):
        store = build(rows(volume=pl.lit(3.0)))
    assert not store.arrays.features_RF[:, 1].any()


@pytest.mark.parametrize("exposure", [NAN, None])
def test_exposures_must_be_there(rows, build, exposure):
    with pytest.raises(PanelError, match="the exposures exposure_beta hold missing"):
        build(rows(exposure_beta=pl.lit(exposure, dtype=pl.Float64)))


def test_new_days_are_scaled_as_the_old_ones_and_need_no_targets(rows, build, tmp_path):
    frame = rows((30, 30))
    known = build(frame)
    frame.drop("target_1d").write_parquet(tmp_path / "new.parquet")
    new = PanelStore.build(tmp_path / "new.parquet", tmp_path / "stores", like=known)
    assert torch.equal(new.arrays.features_RF, known.arrays.features_RF)
    assert new.windows(5).batch([3, 4]).targets.shape == (2, 0)


def test_a_column_that_is_missing_at_inference_is_named(rows, build, tmp_path):
    known = build(rows())
    rows().drop("volume").write_parquet(tmp_path / "new.parquet")
    with pytest.raises(PanelError, match="lacks the columns volume"):
        PanelStore.build(tmp_path / "new.parquet", tmp_path / "stores", like=known)


def test_columns_that_hold_no_numbers_or_are_not_there_are_named(rows, build):
    with pytest.raises(PanelError, match=r"code \(.*string.*\) hold no numbers"):
        build(rows(), columns=PanelColumns(features=("price", "code")))
    with pytest.raises(PanelError, match="lacks the columns moon"):
        build(rows(), columns=PanelColumns(features=("moon",)))


def test_the_same_content_is_built_once_and_a_changed_file_anew(rows, build):
    first, again = build(rows()), build(rows())
    assert first.folder == again.folder
    changed = build(rows().with_columns(pl.col("price") + 1.0))
    assert changed.folder != first.folder


@pytest.mark.parametrize("name", ["features.bin", "targets.bin", "day.bin", "store.json"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_damaged_store_is_refused(rows, build, name, is_cut):
    file = build(rows()).folder / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data[:-5] if is_cut else data)
    with pytest.raises(PanelError, match=r"damaged|codec"):
        PanelStore(file.parent)


def test_a_store_whose_description_was_edited_is_refused(rows, build):
    file = build(rows()).folder / "store.json"
    file.write_text(file.read_text().replace('"clip": 5.0', '"clip": 6.0'))
    with pytest.raises(PanelError, match="its hash differs"):
        PanelStore(file.parent)


def test_a_damaged_parquet_file_is_refused(rows, tmp_path):
    file = tmp_path / "panel.parquet"
    rows().write_parquet(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(PanelError, match="cannot be read as Parquet"):
        PanelStore.build(file, tmp_path / "stores")


def test_no_file_is_told_with_where_it_was_looked_for(tmp_path):
    with pytest.raises(PanelError, match="no Parquet file"):
        PanelStore.build(tmp_path / "none.parquet", tmp_path)


def _build_folder(arguments):
    return str(PanelStore.build(*arguments).folder)


@pytest.mark.parametrize("pool_of", [ThreadPool, pytest.param(spawned, marks=pytest.mark.slow)])
def test_concurrent_builders_get_one_whole_store(rows, tmp_path, pool_of):
    file = tmp_path / "panel.parquet"
    rows((300, 300)).write_parquet(file)
    with pool_of(3) as pool:
        folders = pool.map(_build_folder, [(file, tmp_path / "stores")] * 3)
    assert len(set(folders)) == 1
    assert not list((tmp_path / "stores").glob("*.unfinished"))
    assert len(PanelStore(folders[0])) == 600


def test_what_a_builder_that_died_has_left_is_removed(rows, build):
    store = build(rows())
    left = store.folder.with_name(f".{store.folder.name}.unfinished")
    store.folder.rename(left)
    (left / "features.bin").write_bytes(b"half")
    again = build(rows())
    assert not left.exists()
    assert len(again) == 10


def test_a_failed_build_leaves_nothing_behind(rows, build, tmp_path):
    with pytest.raises(PanelError):
        build(rows(price=pl.lit(INF)))
    assert [path.name for path in (tmp_path / "stores").iterdir() if path.suffix != ".lock"] == []


def test_windows_are_pickled_as_the_folder_of_their_store(store):
    windows = store.windows(20)
    data = pickle.dumps(windows)
    again = pickle.loads(data)
    assert len(data) < store.num_bytes / 2
    assert torch.equal(again[3].features, windows[3].features)


def test_writing_into_a_view_leaves_the_store_as_it_was(rows, build):
    store = build(rows((10,)))
    store.windows(3)[0].features.fill_(9.0)
    assert (PanelStore(store.folder).windows(3)[0].features != 9.0).all()


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"clip": 0.0}, {"fit_rows": 0}])
def test_options_that_make_no_sense_are_refused(rows, build, options):
    with pytest.raises(PanelError, match="got"):
        build(rows(), **options)
