"""The program's loaders with workers, which must not change what it draws, in any epoch."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, dataloader

from hotloop.transforms.data_loading import DataLoading, epochs_begun


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    iterator = dataloader._MultiProcessingDataLoaderIter
    monkeypatch.setattr(iterator, "__init__", iterator.__init__)
    monkeypatch.setattr(epochs_begun, "had_workers", False)


def epochs(site, *, shuffle, generator):
    """The order of three epochs, and a number that the program draws after each."""
    torch.manual_seed(0)
    own = torch.Generator().manual_seed(1) if generator else None
    loader = DataLoader(**site, batch_size=3, shuffle=shuffle, generator=own)
    return [([rows.tolist() for (rows,) in loader], torch.rand(1).item()) for _ in range(3)]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("generator", [True, False])
def test_every_epoch_has_the_order_and_leaves_the_stream_that_it_had_without_workers(shuffle, generator):
    plain = {"dataset": TensorDataset(torch.arange(10))}
    expected = epochs(plain, shuffle=shuffle, generator=generator)
    changed = dict(plain)
    DataLoading(workers=1).apply(changed)
    assert epochs(changed, shuffle=shuffle, generator=generator) == expected


def test_a_program_without_loaders_shows_data_loading_no_site(under, mlp):
    started, hooks = under(DataLoading())
    with hooks:
        mlp(torch.randn(3, 4))
    assert started.applied["data_loading"] == 0


def test_data_loading_leaves_a_program_alone_that_has_workers(under):
    started, hooks = under(DataLoading())
    with hooks:
        torch.utils.data.DataLoader([1, 2], num_workers=1)
    assert "already uses 1 loader workers" in started.refused["data_loading"]


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


def test_a_data_set_that_the_main_process_changes_between_epochs_is_seen_as_changed(under):
    data, seen = Counting(), []
    started, hooks = under(DataLoading(workers=2))
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
