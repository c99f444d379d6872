"""Whole batches gathered at once: the same batches from every loader that it takes, and a reason for every other."""

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset, Subset, TensorDataset, random_split

from hotloop.data.fetching import comparisons
from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.shared_counts import Count
from hotloop.errors import ChangedData
from hotloop.transforms import batched_fetch
from hotloop.transforms.batched_fetch import BatchedFetch

pytestmark = pytest.mark.usefixtures("fetching")
ROWS = 23


class Images(Dataset):
    """As torchvision's data sets in memory look: arrays, and targets in a list."""

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        self.data = torch.randint(256, (ROWS, 3, 4), dtype=torch.uint8, generator=generator).numpy()
        self.weights = np.linspace(0, 1, ROWS, dtype="f4")
        self.targets = [int(n) for n in torch.randint(9, (ROWS,), generator=generator)]

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        img, target = self.data[index], self.targets[index]
        return {"image": img, "rest": (target, self.weights[index])}


def tensors():
    generator = torch.Generator().manual_seed(0)
    return TensorDataset(torch.randn(ROWS, 5, generator=generator), torch.randint(9, (ROWS,), generator=generator))


class EveryThird(torch.utils.data.Sampler):
    def __iter__(self):
        yield from range(0, ROWS, 3)


DATA = {
    "tensors": tensors,
    "images": Images,
    "subset": lambda: Subset(tensors(), [5, 3, 3, 11, 0]),
    "split": lambda: random_split(Images(), [10, 13], generator=torch.Generator().manual_seed(3))[1],
    "numpy subset": lambda: Subset(Subset(tensors(), np.arange(12)), torch.arange(0, 12, 2)),
}
LOADERS = {
    "in order": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "drop last": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "workers": {"batch_size": 4, "shuffle": True, "num_workers": 2},
    "persistent": {"batch_size": 4, "num_workers": 1, "persistent_workers": True},
}


def two_epochs(data, **options):
    torch.manual_seed(7)
    loader = DataLoader(data, **options)
    return [[*loader, torch.rand(1)] for _ in range(2)]


IN_WORKERS = [(kind, loader) for kind in ("images", "split") for loader in ("workers", "persistent")]
HERE = [(kind, loader) for kind in DATA for loader in ("in order", "shuffled", "drop last")]


@pytest.mark.parametrize(("kind", "loader"), HERE + IN_WORKERS)
def test_batches_and_the_random_stream_after_each_epoch_are_the_same(kind, loader, under):
    plain = two_epochs(DATA[kind](), **LOADERS[loader])
    started, hooks = under(BatchedFetch())
    data = DATA[kind]()
    with hooks:
        assert first_difference(two_epochs(data, **LOADERS[loader]), plain) is None
    assert started.not_applied() == {}
    (counts,) = batched_fetch.followed.values()
    assert counts.total(Count.FETCHED) == 2 * (len(plain[0]) - 1)
    assert counts.total(Count.PLAIN) == 0


@pytest.mark.parametrize("sampler", [{"sampler": EveryThird()}, {"batch_sampler": BatchSampler(EveryThird(), 2, True)}])
def test_samplers_of_the_program_keep_their_order(sampler, under):
    plain = two_epochs(tensors(), **sampler)
    started, hooks = under(BatchedFetch())
    with hooks:
        assert first_difference(two_epochs(data := tensors(), **sampler), plain) is None
    assert started.not_applied() == {}
    assert len(data) == ROWS


def test_what_the_program_changes_between_epochs_and_batches_is_seen(under):
    data = tensors()
    _, hooks = under(BatchedFetch())
    with hooks:
        loader = DataLoader(data, batch_size=ROWS)
        first = next(iter(loader))[0]
        data.tensors[0].add_(1)
        second = next(iter(loader))[0]
        data.tensors = (data.tensors[0] * 2, data.tensors[1])
        third = next(iter(loader))[0]
    assert torch.equal(second, first + 1)
    assert torch.equal(third, second * 2)


class Stream(IterableDataset):
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        yield from range(info.id if info else 0, 8, info.num_workers if info else 1)


class Augmented(Images):
    def __getitem__(self, index):
        return torch.as_tensor(self.data[index]).float() + torch.randn(4)


class FromFile(Dataset):
    def __init__(self):
        self.file = open(__file__, "rb")  # noqa: SIM115

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.file[index]


class Sized(Dataset):
    def __init__(self, x):
        self.x = x

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.x[index]


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (Stream(), {"num_workers": 2}, "IterableDataset gives its samples itself"),
        ([1, 2, 3], {}, "the data set is a list"),
        (Augmented(), {}, "more than to index"),
        (FromFile(), {}, "column file is a BufferedReader"),
        (Images(), {"batch_size": None}, "batch_size=None"),
        (Images(), {"collate_fn": lambda samples: samples}, "collate_fn of the program's own"),
        (Sized(torch.zeros(8, 2).T), {}, "not a plain contiguous tensor"),
        (Sized(torch.zeros(8, requires_grad=True)), {}, "not a plain contiguous tensor"),
        (Sized(np.array(["a"] * 8)), {}, "array of <U1"),
        (Images(), {"num_workers": 1, "multiprocessing_context": "spawn"}, "started by spawn"),
    ],
)
def test_other_loaders_are_refused_with_the_reason_and_work_as_before(data, options, words, under):
    started, hooks = under(BatchedFetch())
    with hooks:
        DataLoader(data, **options)
    assert words in started.refused["batched_fetch"]
    assert "batched_fetch" in started.not_applied()


def test_a_difference_is_never_given_to_the_program_and_refuses(under, monkeypatch):
    monkeypatch.setattr(batched_fetch_path(), "batch", lambda *_: torch.zeros(4, 5))
    started, hooks = under(BatchedFetch())
    with hooks:
        got = list(DataLoader(Sized(torch.ones(8, 5)), batch_size=4))
    assert [batch.unique().tolist() for batch in got] == [[1.0], [1.0]]
    assert "would have changed the data" in started.not_applied()["batched_fetch"]


@pytest.mark.parametrize("workers", [0, 1])
def test_under_watch_a_difference_ends_the_run(workers, under, monkeypatch):
    monkeypatch.setattr(batched_fetch_path(), "batch", lambda *_: torch.zeros(4, 5))
    comparisons.compare_every_batch()
    _, hooks = under(BatchedFetch())
    with hooks, pytest.raises(ChangedData, match="batched_fetch: it would have changed the data"):
        list(DataLoader(Sized(torch.ones(8, 5)), batch_size=4, num_workers=workers))


def batched_fetch_path():
    from hotloop.data.fetching.column_gather import ColumnGather

    return ColumnGather


def test_the_first_batches_and_few_later_ones_are_compared_unless_watched(under):
    data = TensorDataset(torch.arange(600))
    for watched, wanted in ((False, 8 + 2), (True, 600)):
        batched_fetch.followed.clear()
        if watched:
            comparisons.compare_every_batch()
            data = TensorDataset(torch.arange(600))
        _, hooks = under(BatchedFetch())
        with hooks:
            list(DataLoader(data, batch_size=1))
        (counts,) = batched_fetch.followed.values()
        assert counts.total(Count.COMPARED) == wanted


def test_indices_that_are_no_rows_come_the_plain_way(under):
    started, hooks = under(BatchedFetch())
    with hooks:
        with pytest.raises(IndexError):
            list(DataLoader(tensors(), batch_sampler=[[0, ROWS]]))
        (batch,) = DataLoader(tensors(), batch_sampler=[[-1, 0]])
    assert torch.equal(batch[0][0], tensors().tensors[0][-1])
    assert "no batch" in started.not_applied()["batched_fetch"]
