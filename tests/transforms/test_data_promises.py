"""Each transform of the data path on each kind of loader: the same batches and random numbers, or a reason."""

import contextlib
import random
import sqlite3

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, dataloader, get_worker_info

from hotloop.data.fetching.same_batches import first_difference
from hotloop.transforms.batched_fetch import BatchedFetch
from hotloop.transforms.cached_samples import CachedSamples
from hotloop.transforms.data_loading import DataLoading, epochs_begun
from hotloop.transforms.prefetch_thread import PrefetchThread
from hotloop.transforms.resident_data import ResidentData

pytestmark = pytest.mark.usefixtures("fetching")
ROWS = 60
PLANS = {
    "batched_fetch": BatchedFetch(),
    "cached_samples": CachedSamples(),
    "data_loading": DataLoading(workers=2),
    "workers kept": DataLoading(workers=1, persistent=True),
    "resident_data": ResidentData(device="cpu"),
    "prefetch_thread": PrefetchThread(),
}


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    iterator, base = dataloader._MultiProcessingDataLoaderIter, dataloader._BaseDataLoaderIter
    for owner, name in ((iterator, "__init__"), (base, "_reset"), (DataLoader, "__iter__")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(epochs_begun, "had_workers", False)


class Table(Dataset):
    """Rows of two tensors."""

    def __init__(self):
        self.x = torch.arange(2.0 * ROWS).reshape(ROWS, 2)
        self.y = torch.arange(ROWS)

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        return self.x[index], self.y[index]


class Augmented(Table):
    def __getitem__(self, index):
        return self.x[index] + torch.randn(2), self.y[index]


class FileRows(Table):
    def __init__(self):
        super().__init__()
        self.file = open(__file__, "rb")  # noqa: SIM115

    def __getitem__(self, index):
        self.file.seek(index)
        return self.x[index], self.file.read(1)[0]


class DatabaseRows(Table):
    def __init__(self):
        super().__init__()
        self.database = sqlite3.connect(":memory:")

    def __getitem__(self, index):
        return self.x[index], self.database.execute("select ? * 2", (index,)).fetchone()[0]


class Shards(IterableDataset):
    """Each worker reads a part of its own."""

    def __iter__(self):
        info = get_worker_info()
        yield from range(info.id if info else 0, ROWS, info.num_workers if info else 1)


class HardFirst(Sampler):
    """An order of the program's own, drawn when an epoch begins."""

    def __iter__(self):
        yield from sorted(range(ROWS), key=lambda _: random.random())

    def __len__(self):
        return ROWS


class Pairs(Sampler):
    """Batches of the program's own, which are drawn as soon as they are asked for, before the first one is."""

    def __iter__(self):
        first = random.randrange(ROWS)
        return iter([[n, (n + first + int(torch.randint(ROWS, ()))) % ROWS] for n in range(ROWS)])


def closure(scale):
    return lambda samples: [torch.stack([x for x, _ in samples]) * scale, torch.stack([y for _, y in samples])]


def unchanged(data, epoch):
    pass


def changed(data, epoch):
    data.x += epoch


KINDS = {
    "changes between epochs": (Table, lambda: {"batch_size": 4, "shuffle": True}, changed),
    "draws random numbers": (Augmented, lambda: {"batch_size": 4, "shuffle": True}, unchanged),
    "open file": (FileRows, lambda: {"batch_size": 4, "shuffle": True}, unchanged),
    "open database": (DatabaseRows, lambda: {"batch_size": 4, "shuffle": True}, unchanged),
    "iterable with shards": (Shards, lambda: {"batch_size": 4, "num_workers": 2}, unchanged),
    "own sampler": (Table, lambda: {"batch_size": 4, "sampler": HardFirst()}, unchanged),
    "own batch sampler": (Table, lambda: {"batch_sampler": Pairs()}, unchanged),
    "no batches": (Table, lambda: {"batch_size": None, "shuffle": True}, unchanged),
    "collate_fn is a closure": (Table, lambda: {"batch_size": 4, "collate_fn": closure(3)}, unchanged),
    "drop last": (Table, lambda: {"batch_size": 7, "shuffle": True, "drop_last": True}, unchanged),
}
_HANDLE, _INDEXES = "open file or connection", "more than to index"
_OWN, _ITERABLE = "is a sampler of the program's own", "an IterableDataset"
REFUSED = {
    "changes between epochs": {"cached_samples": "attribute x", "resident_data": "changes while it is read"},
    "draws random numbers": {
        "batched_fetch": _INDEXES,
        "resident_data": _INDEXES,
        "cached_samples": "draw random numbers",
        "prefetch_thread": "draw random numbers",
    },
    **{
        kind: {
            "batched_fetch": _INDEXES,
            "resident_data": _INDEXES,
            "data_loading": _HANDLE,
            "workers kept": _HANDLE,
            "prefetch_thread": _HANDLE,
        }
        for kind in ("open file", "open database")
    },
    "iterable with shards": dict.fromkeys(PLANS, _ITERABLE),
    "own sampler": {"prefetch_thread": _OWN},
    "own batch sampler": {"prefetch_thread": _OWN},
    "no batches": {
        "batched_fetch": "batch_size=None",
        "resident_data": "batch_size=None",
        "cached_samples": "the data set's own memory",
    },
    "collate_fn is a closure": dict.fromkeys(("batched_fetch", "resident_data"), "collate_fn of the program's own"),
    "drop last": {},
}


def trained(data, options, between):
    """What three epochs of a loop see that draws numbers itself, and the numbers that come after it."""
    torch.manual_seed(7)
    random.seed(7)
    loader = DataLoader(data, **options())
    seen = []
    for epoch in range(3):
        between(data, epoch)
        seen.append([[*(batch if isinstance(batch, list) else [batch]), torch.rand(1)] for batch in loader])
    return [seen, torch.rand(1), random.random()]


@contextlib.contextmanager
def closing(data):
    yield data
    for name in ("file", "database"):
        if hasattr(data, name):
            getattr(data, name).close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", PLANS)
def test_it_keeps_its_promise_or_says_why_it_does_not_apply(plan, kind, under):
    make, options, between = KINDS[kind]
    transform = PLANS[plan]
    started, hooks = under(transform)
    with closing(make()) as data:
        plain = trained(data, options, between)
    with closing(make()) as data:
        with hooks:
            found = trained(data, options, between)
        words = REFUSED[kind].get(plan)
        assert (words or "") in started.not_applied().get(transform.name, "")
        assert started.not_applied().keys() == ({transform.name} if words else set())
    draws_apart = kind == "draws random numbers" and transform.name == "data_loading"  # the gate does not pair those
    assert draws_apart or first_difference(found, plain) is None
