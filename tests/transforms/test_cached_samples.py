"""Samples that are kept: the same ones from every loader that it takes, and a reason for every other."""

import random
import sqlite3
import time

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from hotloop.data.fetching import comparisons, fetch_paths
from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.shared_counts import Count
from hotloop.errors import ChangedData
from hotloop.transforms import cached_samples
from hotloop.transforms.cached_samples import CachedSamples

pytestmark = pytest.mark.usefixtures("fetching")
ROWS = 23


class Images(Dataset):
    """Decodes in `__getitem__`, always in the same way."""

    def __init__(self, rows=ROWS, height=4):
        self.data = torch.randint(
            256, (rows, height, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
        )
        self.scale = 255.0
        self.words = [f"row {n} \N{SNOWMAN}" for n in range(rows)]
        self.file = None

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.file = self.file or object()  # opened in the process that reads
        image = self.data[index].permute(2, 0, 1) / self.scale
        return {
            "image": image,
            "label": index % 7,
            "word": self.words[index],
            "more": (np.float32(index), [1.5, None][0]),
        }


class Ragged(Images):
    """Text that is tokenised: lists of numbers, of another length each."""

    def __getitem__(self, index):
        return [ord(letter) for letter in self.words[index]], np.arange(index), b"x" * index, None


def padded(samples):
    longest = max(len(tokens) for tokens, *_ in samples)
    for tokens, array, *_ in samples:
        tokens.extend([0] * (longest - len(tokens)))  # in place, as programs do
        np.add(array, 1, out=array)
    return torch.tensor([tokens for tokens, *_ in samples]), [rest for _, *rest in samples]


def closure(collate):
    return lambda samples: [len(samples), collate(samples)]


LOADERS = {
    "in order": (Images, {"batch_size": 4}),
    "shuffled": (Images, {"batch_size": 4, "shuffle": True, "drop_last": True}),
    "single": (Images, {"batch_size": None}),
    "sampler": (Images, {"batch_sampler": [[3, 1, 3], [2], [20, 22]]}),
    "subset": (lambda: Subset(Images(), [5, 2, 2, 7]), {"batch_size": 3}),
    "closure": (Ragged, {"batch_size": 4, "shuffle": True, "collate_fn": closure(padded)}),
    "workers": (Images, {"batch_size": 4, "shuffle": True, "num_workers": 2}),
    "persistent": (Ragged, {"batch_size": 4, "collate_fn": padded, "num_workers": 2, "persistent_workers": True}),
}


def epochs(data, *, num=3, between=lambda data, epoch: None, **options):
    torch.manual_seed(7)
    loader = DataLoader(data, **options)
    found = []
    for epoch in range(num):
        between(data, epoch)
        found.append([*loader, torch.rand(1)])
    return found


def counted(count):
    return sum(path.counts.total(count) for path in cached_samples.followed.values())


@pytest.mark.parametrize(
    ("name", "watched"),
    [(name, watched) for name in LOADERS for watched in (False, True) if name != "workers" or watched],
)
def test_batches_and_the_random_stream_are_the_same_and_samples_come_from_the_cache(name, watched, under):
    make, options = LOADERS[name]
    plain = epochs(make(), **options)
    if watched:
        comparisons.compare_every_batch()
    started, hooks = under(CachedSamples())
    data = make()
    with hooks:
        assert first_difference(epochs(data, **options), plain) is None
    assert started.not_applied() == {}
    assert counted(Count.HITS) >= 1.5 * counted(Count.MISSES) > 0
    assert counted(Count.PLAIN) == 0
    assert "from the cache" in started.sites_changed()["cached_samples"]


def test_what_does_not_fit_into_memory_goes_to_a_file_without_a_name(under, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plain = epochs(Images(150, 400), num=2, batch_size=10)
    started, hooks = under(CachedSamples(memory_mib=1, file_mib=8))
    data = Images(150, 400)
    with hooks:
        assert first_difference(epochs(data, num=2, batch_size=10), plain) is None
        (arena,) = cached_samples.arenas.values()
    assert started.not_applied() == {}
    assert counted(Count.HITS) == 150
    assert [0.9 * 2**20 < arena.used[0] <= 2**20, arena.used[1] > 2**20] == [True, True]
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_at_all_is_refused_when_that_can_be_foreseen(under):
    plain = epochs(Images(150, 400), num=1, batch_size=8)
    started, hooks = under(CachedSamples(memory_mib=1, file_mib=1))
    data = Images(150, 400)
    with hooks:
        assert first_difference(epochs(data, num=1, batch_size=8), plain) is None
    assert "do not fit: 150 of them" in started.not_applied()["cached_samples"]
    assert counted(Count.MISSES) < 32


class Reads(Images):
    """Returns what a function makes of the index."""

    def __init__(self, read, *, collate=list, **attributes):
        super().__init__()
        self.read, self.collate = read, collate
        self.__dict__.update(attributes)

    def __getitem__(self, index):
        return self.read(self, index)


def numbered(data, index):
    data.calls += 1
    return index + 0 * data.calls


def from_own(data, index):
    return float(data.rng.random()) if index else 0.0


def scaled_in_place(samples):
    for sample in samples:
        sample.mul_(3)  # in plain programs this changes the data set
    return torch.stack(samples)


STATE = {"epoch": 0}
GENERATOR = random.Random(0)


def augmented():
    return Reads(lambda data, i: data.data[i] + torch.randn(3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (augmented, "draw random numbers"),
        (lambda: Reads(lambda data, i: i if i < 9 else random.random()), "draw random numbers"),
        (lambda: Reads(lambda data, i: np.random.rand() * i), "draw random numbers"),
        (lambda: Reads(lambda data, i: np.random.default_rng().random()), "two calls give different samples"),
        (lambda: Reads(lambda data, i: time.perf_counter()), "two calls give different samples"),
        (lambda: Reads(from_own, rng=np.random.default_rng(0)), "attribute rng"),
        (lambda: Reads(lambda data, i: GENERATOR.random()), "attribute read"),
        (lambda: Reads(lambda data, i: data.data[i], collate=scaled_in_place), "the data set's own memory"),
        (lambda: Reads(lambda data, i: data.data[i], collate=tuple), "the data set's own memory"),
        (lambda: Reads(numbered, calls=0), "attribute calls"),
        (lambda: Reads(lambda data, i: {i}), "hold a set"),
        (lambda: Reads(lambda data, i: torch.ones(3, 3)[:, 0]), "not plain and dense"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_the_program_reads_what_it_read_before(make, words, under):
    started, hooks = under(CachedSamples())
    GENERATOR.seed(0)
    data = make()
    with hooks:
        found = epochs(data, num=3, batch_size=4, collate_fn=data.collate)
    assert words in started.not_applied()["cached_samples"]
    if "two calls" not in words and "random numbers" not in words and "hold a set" not in words:
        GENERATOR.seed(0)
        data = make()
        plain = epochs(data, num=3, batch_size=4, collate_fn=data.collate)
        assert first_difference(found, plain) is None


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("draw", [torch.rand, lambda _: random.random(), lambda _: np.random.rand()])
def test_random_augmentation_draws_what_it_drew_before(draw, workers, under):
    def seeded():
        np.random.seed(3)
        random.seed(3)
        return Reads(lambda data, i: i if i < 9 else i + float(draw(1)))

    plain = epochs(seeded(), num=2, batch_size=4, num_workers=workers)
    started, hooks = under(CachedSamples())
    data = seeded()
    with hooks:
        assert first_difference(epochs(data, num=2, batch_size=4, num_workers=workers), plain) is None
    assert "draw random numbers" in started.not_applied()["cached_samples"]


def hooks_again(under):
    fetch_paths.paths.clear()
    cached_samples.followed.clear()
    return under(CachedSamples())[1]


def curriculum(data, epoch):
    data.epoch = epoch


def hidden(data, epoch):
    STATE["epoch"] = epoch


def in_place(data, epoch):
    data.data[:, 0] += epoch


CHANGES = {
    "an attribute": (lambda data, i: i * data.epoch, curriculum, "attribute epoch"),
    "a global": (lambda data, i: i * STATE["epoch"], hidden, "attribute read"),
    "a tensor in place": (lambda data, i: data.data[i].float().mean(), in_place, "attribute data"),
}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", CHANGES)
def test_a_data_set_that_changes_between_epochs_is_refused_and_seen_as_changed(name, workers, under):
    read, change, words = CHANGES[name]
    options = {"batch_size": 4, "num_workers": workers, "between": change}
    STATE["epoch"] = 0
    plain = epochs(Reads(read, epoch=0), **options)
    started, hooks = under(CachedSamples())
    STATE["epoch"] = 0
    data = Reads(read, epoch=0)
    with hooks:
        assert first_difference(epochs(data, **options), plain) is None
    assert words in started.not_applied()["cached_samples"]


def rising(data, number):
    data.scale = 1.0 + number


def relabelled(data, number):
    data.labels[:] = [number] * len(data.labels)


@pytest.mark.parametrize(("change", "most_late"), [(rising, 0), (relabelled, 7)])
def test_a_change_within_an_epoch_is_seen_at_once_where_a_glance_shows_it_and_soon_where_not(change, most_late, under):
    def read(data, index):
        return torch.tensor(index * data.scale + data.labels[index])

    def two_epochs():
        data = Reads(read, scale=1.0, labels=[0] * ROWS)
        loader = DataLoader(data, batch_size=2)
        first = list(loader)
        second = []
        for number, batch in enumerate(loader):
            second.append(batch)
            if number >= 2:
                change(data, number)
        return [*first, *second]

    plain = two_epochs()
    started, hooks = under(CachedSamples())
    with hooks:
        found = two_epochs()
    assert sum(not torch.equal(mine, other) for mine, other in zip(found, plain, strict=True)) <= most_late
    assert torch.equal(found[-1], plain[-1])
    assert "changes while it is read" in started.not_applied()["cached_samples"]


def from_disk(data, index):
    return float(data.path.read_text()) * index


def test_a_change_that_no_attribute_shows_is_found_by_samples_that_are_made_anew(under, tmp_path):
    path = tmp_path / "scale"

    def change(data, epoch):
        path.write_text(str(epoch))

    plain = epochs(Reads(from_disk, path=path), between=change, batch_size=4)
    started, hooks = under(CachedSamples())
    data = Reads(from_disk, path=path)
    with hooks:
        assert first_difference(epochs(data, between=change, batch_size=4), plain) is None
    assert "no longer what was kept" in started.not_applied()["cached_samples"]
    comparisons.compare_every_batch()
    data = Reads(from_disk, path=path)
    with hooks_again(under), pytest.raises(ChangedData, match="no longer what was kept"):
        epochs(data, between=change, batch_size=4)


class Rows(Dataset):
    """Rows of a database, or of a file, that stays open."""

    def __init__(self, folder):
        self.database = sqlite3.connect(folder / "rows.db")
        self.database.execute("create table if not exists rows (id integer, word text)")
        self.database.executemany("insert into rows values (?, ?)", [(n, f"row {n}") for n in range(ROWS)])
        (folder / "rows.txt").write_text("".join(f"{n:08d}\n" for n in range(ROWS)))
        self.file = open(folder / "rows.txt")  # noqa: SIM115

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        self.file.seek(9 * index)
        (word,) = self.database.execute("select word from rows where id = ?", (index,)).fetchone()
        return word, int(self.file.readline())


def test_open_files_and_databases_are_read_as_before(under, tmp_path):
    data = Rows(tmp_path)
    plain = epochs(data, batch_size=4)
    started, hooks = under(CachedSamples())
    with hooks:
        assert first_difference(epochs(data, batch_size=4), plain) is None
    assert started.not_applied() == {}
    assert counted(Count.HITS) == 2 * ROWS
    data.file.close()
    data.database.close()


class Stream(IterableDataset):
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        yield from range(info.id if info else 0, 8, info.num_workers if info else 1)


class AtOnce(Images):
    def __getitems__(self, indices):
        return [self[index] for index in indices]


class Endless(Dataset):
    def __getitem__(self, index):
        return index


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (Stream(), {"num_workers": 2}, "IterableDataset gives its samples itself"),
        ([1, 2, 3], {}, "the data set is a list"),
        (Subset(AtOnce(), [1]), {}, "AtOnce reads a batch at once"),
        (Endless(), {"sampler": [1, 2]}, "has no length"),
        (Images(), {"num_workers": 1, "multiprocessing_context": "spawn"}, "started by spawn"),
    ],
)
def test_other_loaders_are_refused_with_the_reason(data, options, words, under):
    started, hooks = under(CachedSamples())
    with hooks:
        DataLoader(data, **options)
    assert words in started.refused["cached_samples"]


def test_the_errors_of_a_data_set_are_the_programs_own(under):
    def fail(data, index):
        raise KeyError(index)

    _, hooks = under(CachedSamples())
    data = Reads(fail)
    with hooks, pytest.raises(KeyError):
        epochs(data)
