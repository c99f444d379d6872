"""The program's loaders with workers, which must not change what it draws, in any epoch."""

import contextlib
import multiprocessing
import pickle
import sqlite3
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, dataloader

from hotloop.transforms.data_loading import DataLoading, epochs_begun


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    iterator = dataloader._MultiProcessingDataLoaderIter
    monkeypatch.setattr(iterator, "__init__", iterator.__init__)
    base = dataloader._BaseDataLoaderIter
    monkeypatch.setattr(base, "_reset", base._reset)
    monkeypatch.setattr(DataLoader, "__iter__", DataLoader.__iter__)
    monkeypatch.setattr(epochs_begun, "had_workers", False)


def epochs(site, *, shuffle, generator):
    """The order of three epochs, and a number that the program draws after each."""
    torch.manual_seed(0)
    own = torch.Generator().manual_seed(1) if generator else None
    loader = DataLoader(**site, batch_size=3, shuffle=shuffle, generator=own)
    return [([rows.tolist() for (rows,) in loader], torch.rand(1).item()) for _ in range(3)]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("generator", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_every_epoch_has_the_order_and_leaves_the_stream_that_it_had_without_workers(shuffle, generator, persistent):
    plain = {"dataset": TensorDataset(torch.arange(10))}
    expected = epochs(plain, shuffle=shuffle, generator=generator)
    changed = dict(plain)
    DataLoading(workers=1, persistent=persistent).apply(changed)
    assert epochs(changed, shuffle=shuffle, generator=generator) == expected


def test_a_program_without_loaders_shows_data_loading_no_site(under, mlp):
    started, hooks = under(DataLoading())
    with hooks:
        mlp(torch.randn(3, 4))
    assert started.applied["data_loading"] == 0


@pytest.mark.parametrize(
    ("plan", "options", "words"),
    [
        ({"workers": 1}, {"num_workers": 1}, "is built so already, with 1 workers"),
        ({"workers": 0}, {}, "is built so already"),
        ({"workers": 0}, {"num_workers": 1, "worker_init_fn": print}, "its worker_init_fn sets up"),
    ],
)
def test_data_loading_says_where_it_has_nothing_to_change(plan, options, words, under):
    started, hooks = under(DataLoading(**plan))
    with hooks:
        DataLoader([1, 2], **options)
    assert words in started.refused["data_loading"]


@pytest.mark.parametrize(
    ("plan", "options", "found"),
    [
        ({"workers": 2}, {"num_workers": 1}, (2, 2, False)),
        ({"workers": 1, "prefetch": 4}, {"num_workers": 1, "persistent_workers": True}, (1, 4, True)),
        ({"workers": 0}, {"num_workers": 2, "persistent_workers": True, "timeout": 9}, (0, None, False)),
        ({"workers": 1, "persistent": True}, {"num_workers": 1}, (1, 2, True)),
    ],
)
def test_a_program_that_has_workers_gets_other_ones(plan, options, found, under):
    _, hooks = under(DataLoading(**plan))
    with hooks:
        loader = DataLoader([1, 2], **options)
    assert (loader.num_workers, loader.prefetch_factor, bool(loader.persistent_workers)) == found


class Lines(torch.utils.data.Dataset):
    """Reads from a file that is open before workers are forked, or from a database."""

    def __init__(self, handle):
        self.handle = handle

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return index


@pytest.mark.parametrize("make", [Path(__file__).open, lambda: sqlite3.connect(":memory:")])
def test_handles_that_forked_workers_would_share_are_refused(make, under):
    with contextlib.closing(make()) as handle:
        started, hooks = under(DataLoading(workers=1))
        with hooks:
            assert DataLoader(Lines(handle)).num_workers == 0
        assert "open file or connection (handle)" in started.refused["data_loading"]


def test_data_loading_changes_the_loader_that_the_program_builds(under):
    _, hooks = under(DataLoading(workers=1, prefetch=3))
    with hooks:
        loader = torch.utils.data.DataLoader([1, 2], 1)
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (1, 3, False)


class Counting(torch.utils.data.Dataset):
    """A data set whose samples say what the main process has set last."""

    epoch = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.epoch


@pytest.mark.parametrize("persistent", [True, False])
def test_a_data_set_that_the_main_process_changes_between_epochs_is_seen_as_changed(persistent, under):
    data, seen = Counting(), []
    started, hooks = under(DataLoading(workers=2, persistent=persistent))
    with hooks:
        loader = DataLoader(data, batch_size=2)
        for data.epoch in range(3):
            seen.append([batch.tolist() for batch in loader])
    assert started.not_applied() == {}
    assert seen == [[[epoch, epoch]] * 2 for epoch in range(3)]


def test_loaders_that_were_given_workers_and_are_never_iterated_have_not_been_changed(under):
    started, hooks = under(DataLoading(workers=1))
    with hooks:
        DataLoader([1, 2])
    assert "has been iterated" in started.not_applied()["data_loading"]


def test_workers_stay_while_the_data_set_does_and_loops_inside_of_each_other_have_their_own(under):
    data = Counting()
    _, hooks = under(DataLoading(workers=1, persistent=True))
    with hooks:
        loader = DataLoader(data)
    first = iter(loader)
    outer = [(next(first).item(), [inner.item() for inner in loader]) for _ in range(4)]
    assert outer == [(0, [0] * 4)] * 4
    del first
    started = set()
    for _ in range(3):
        rows = iter(loader)
        started.add(tuple(sorted(child.pid for child in multiprocessing.active_children())))
        assert [row.item() for row in rows] == [0] * 4
        del rows
    assert len(started) == 1
    for _ in loader:  # left early: what was asked for must not come in the next epoch
        break
    assert [row.item() for row in loader] == [0] * 4


def test_what_a_program_pickles_of_a_loader_is_its_own(under):
    _, hooks = under(DataLoading(workers=1, persistent=True))
    with hooks:
        loader = DataLoader([1, 2])
    assert type(pickle.loads(pickle.dumps(loader.persistent_workers))) is bool
    assert repr(loader.persistent_workers) == "True"
