import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hotloop.data.panel import DayBatches, DaySpan, PanelBatch, SampleCache, panel_loader
from hotloop.errors import PanelError


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), length=st.integers(1, 9))
def test_no_window_crosses_the_border_of_two_codes(tmp_path_factory, lengths, length):
    from hotloop.data.panel.arrays import PanelArrays

    total = sum(lengths)
    first_S = np.concatenate([[0], np.cumsum(lengths)])
    arrays = PanelArrays(
        folder=tmp_path_factory.getbasetemp(),
        features_RF=torch.arange(total).float()[:, None],
        targets_RH=torch.arange(total).float()[:, None],
        exposures_RE=torch.empty(total, 0),
        day_R=np.concatenate([np.arange(rows) for rows in lengths]).astype(np.int32),
        first_S=first_S,
    )
    from hotloop.data.panel import PanelWindows

    if max(lengths) < length:
        with pytest.raises(PanelError, match="nothing is left"):
            PanelWindows(arrays, length)
        return
    windows = PanelWindows(arrays, length)
    assert len(windows) == sum(max(0, rows - length + 1) for rows in lengths)
    assert windows.num_short == sum(rows < length for rows in lengths)
    for sample in windows:
        rows = sample.features[:, 0].long().tolist()
        assert rows == list(range(rows[0], rows[0] + length))
        assert first_S[sample.stock] <= rows[0] <= rows[-1] < first_S[sample.stock + 1]
        assert sample.targets.item() == rows[-1]


def test_a_batch_is_its_samples_in_order_of_days(store):
    windows = store.windows(10)
    index = np.random.default_rng(0).choice(len(windows), 40, replace=False)
    batch = windows.batch(index)
    assert torch.equal(batch.day, batch.day.sort().values)
    for place, number in enumerate(index[np.argsort(windows.day_W[index], kind="stable")].tolist()):
        sample = windows[number]
        assert torch.equal(batch.features[place], sample.features)
        assert torch.equal(batch.targets[place].nan_to_num(9.0), sample.targets.nan_to_num(9.0))
        assert (batch.stock[place], batch.day[place]) == (sample.stock, sample.day)


def test_groups_number_the_days_of_a_batch_without_a_gap(store):
    windows = store.windows(10)
    batch = windows.batch(range(0, len(windows), 7))
    days, sizes = batch.day.unique(return_counts=True)
    assert torch.equal(days[batch.group], batch.day)
    assert (batch.num_groups, batch.largest) == (len(days), sizes.max())


def test_views_are_not_copied_and_batches_are(store):
    windows = store.windows(10)
    assert windows[0].features.data_ptr() == windows[0].features.data_ptr()
    assert windows[1].features.untyped_storage().data_ptr() == windows[0].features.untyped_storage().data_ptr()
    assert windows.batch([0]).features.untyped_storage().data_ptr() != windows[0].features.untyped_storage().data_ptr()


def test_a_batch_goes_into_memory_that_is_there(store):
    windows = store.windows(10)
    out = torch.empty(40, 10, 8)
    batch = windows.batch(range(30), out=out)
    assert batch.features.data_ptr() == out.data_ptr()
    assert torch.equal(batch.features, windows.batch(range(30)).features)
    for wrong in (torch.empty(20, 10, 8), torch.empty(40, 9, 8), torch.empty(40, 10, 8).bfloat16()):
        with pytest.raises(PanelError, match="got out of shape"):
            windows.batch(range(30), out=wrong)


def test_windows_end_inside_of_their_span_and_may_begin_before_it(store):
    days = store.days
    span = DaySpan(first=int(days[30]), last=int(days[40]))
    windows = store.windows(20, span=span)
    assert (windows.day_W >= days[30]).all()
    assert (windows.day_W <= days[40]).all()
    assert (windows.day_W == days[30]).any()


def test_an_empty_day_is_told_with_its_reason(store):
    days = store.days
    span = DaySpan(first=int(days[0]), last=int(days[40]))
    windows = store.windows(20, span=span)
    assert len(windows.on(int(days[30]))) > 0
    with pytest.raises(PanelError, match="no stock has 20 rows up to then"):
        windows.on(int(days[3]))
    with pytest.raises(PanelError, match="outside of the span"):
        windows.on(int(days[50]))
    with pytest.raises(PanelError, match="2015-01-10: the panel has no row of that day"):
        windows.on("2015-01-10")


def test_numbers_that_are_no_window_and_no_number_at_all_are_refused(store):
    windows = store.windows(10)
    with pytest.raises(IndexError):
        windows[len(windows)]
    with pytest.raises(IndexError):
        windows.batch([0, len(windows)])
    with pytest.raises(PanelError, match="got no index"):
        windows.batch([])
    assert torch.equal(windows[-1].features, windows[len(windows) - 1].features)


def test_a_cache_counts_and_gives_the_same_samples(store):
    cache = SampleCache(4)
    windows = store.windows(10, cache=cache)
    for number in (0, 1, 0, 2, 3, 4, 0):
        assert torch.equal(windows[number].features, store.windows(10)[number].features)
    assert (cache.hits, cache.misses) == (1, 6)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_loader_yields_whole_batches(store, num_workers):
    windows = store.windows(10)
    batches = DayBatches(windows, days_per_batch=8, shuffle=False)
    loader = panel_loader(windows, batches, num_workers=num_workers)
    found = list(loader)
    assert all(isinstance(batch, PanelBatch) for batch in found)
    assert sum(len(batch.features) for batch in found) == len(windows)
    assert found[0].num_groups == 8
    assert found[0].to("cpu").features.dtype is torch.float32
