"""The program's loaders with workers, which must not change what it draws, in any epoch."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, dataloader

from hotloop.transforms.data_loading import DataLoading


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    iterator = dataloader._MultiProcessingDataLoaderIter
    monkeypatch.setattr(iterator, "_reset", iterator._reset)


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


def test_a_loader_that_the_program_made_persistent_draws_what_it_drew():
    own = {"dataset": TensorDataset(torch.arange(10)), "num_workers": 1, "persistent_workers": True}
    expected = epochs(own, shuffle=True, generator=False)
    DataLoading(workers=1).apply({"dataset": own["dataset"]})
    assert epochs(own, shuffle=True, generator=False) == expected


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
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (1, 3, True)
