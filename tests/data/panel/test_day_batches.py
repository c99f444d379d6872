import numpy as np
import pytest

from hotloop.data.panel import DayBatches, DaySpan
from hotloop.errors import PanelError


def days_of(windows, batch):
    return set(windows.day_W[batch].tolist())


def test_an_epoch_holds_every_window_once_and_no_day_is_cut(store):
    windows = store.windows(10)
    batches = list(DayBatches(windows, days_per_batch=3))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(windows)))
    days = [days_of(windows, batch) for batch in batches]
    assert sum(map(len, days)) == len(windows.days)
    assert max(map(len, days)) == 3


def test_epochs_differ_and_depend_on_seed_and_number_alone(store):
    windows = store.windows(10)
    sampler = DayBatches(windows, seed=5)
    first, second = list(sampler), list(sampler)
    assert first != second
    again = DayBatches(windows, seed=5)
    again.set_epoch(1)
    assert list(again) == second
    assert list(DayBatches(windows, seed=6)) != first


def test_samples_of_a_day_are_drawn_anew_each_epoch(store):
    windows = store.windows(10)
    sampler = DayBatches(windows, samples_per_day=4, shuffle=False)
    first, second = list(sampler), list(sampler)
    assert all(len(batch) <= 4 and len(set(batch)) == len(batch) for batch in first)
    assert first != second


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_days_and_make_as_many_batches(store, world_size):
    windows = store.windows(10)
    ranks = [DayBatches(windows, rank=rank, world_size=world_size) for rank in range(world_size)]
    epochs = [list(rank) for rank in ranks]
    assert {len(epoch) for epoch in epochs} == {len(ranks[0])}
    days = [day for epoch in epochs for batch in epoch for day in days_of(windows, batch)]
    assert set(days) == set(windows.days.tolist())
    assert len(days) - len(set(days)) == -len(windows.days) % world_size


@pytest.mark.parametrize(
    "options", [{"days_per_batch": 0}, {"samples_per_day": 0}, {"rank": 2, "world_size": 2}, {"world_size": 0}]
)
def test_counts_that_make_no_sense_are_refused(store, options):
    with pytest.raises(PanelError, match="counts are at least 1"):
        DayBatches(store.windows(10), **options)


def test_a_span_without_a_window_is_refused(store):
    span = DaySpan(first=0, last=10)
    with pytest.raises(PanelError, match="no window ends in 1970-01-01 to 1970-01-11"):
        DayBatches(store.windows(10, span=span))
