"""Batches sliced where a data set is kept: the same from every loader that it takes, and a reason for every other."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, random_split

from hotloop.data.fetching import comparisons
from hotloop.data.fetching.column_gather import ColumnGather
from hotloop.data.fetching.resident_path import ResidentPath
from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.shared_counts import Count
from hotloop.errors import ChangedData, NotApplicable
from hotloop.transform import Plan
from hotloop.transforms import resident_data
from hotloop.transforms.batched_fetch import BatchedFetch
from hotloop.transforms.data_loading import DataLoading
from hotloop.transforms.resident_data import ResidentData

pytestmark = pytest.mark.usefixtures("fetching")
ROWS = 23
HERE = pytest.param("cpu")
THERE = pytest.param("cuda", marks=pytest.mark.gpu)
DEVICES = pytest.mark.parametrize("device", [HERE, THERE])


class Images(Dataset):
    """As torchvision's data sets in memory look, without a transform."""

    def __init__(self, targets=None):
        generator = torch.Generator().manual_seed(1)
        self.data = torch.randint(256, (ROWS, 3, 4), dtype=torch.uint8, generator=generator)
        self.weights = np.linspace(0, 1, ROWS, dtype="f4")
        self.targets = list(range(ROWS)) if targets is None else targets

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
    "floats": lambda: Images([float(n) / 3 for n in range(ROWS)]),
    "subset": lambda: Subset(tensors(), [5, 3, 3, 11, 0]),
    "split": lambda: random_split(Images(), [10, 13], generator=torch.Generator().manual_seed(3))[1],
}
LOADERS = {
    "in order": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "drop last": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "own sampler": {"batch_size": 2, "sampler": EveryThird()},
    "workers": {"batch_size": 4, "shuffle": True, "num_workers": 2, "persistent_workers": True},
}


def two_epochs(data, device="cpu", **options):
    """Batches that the program has copied and then changed, as some do, and its random numbers."""
    torch.manual_seed(7)
    loader = DataLoader(data, **options)
    found = []
    for _ in range(2):
        for batch in loader:
            found.append(on_host(on(batch, device)))
            spoil(batch)
        found.append(torch.rand(1))
    return found


def leaves(batch):
    parts = batch.values() if isinstance(batch, dict) else batch
    return [batch] if isinstance(batch, torch.Tensor) else [leaf for part in parts for leaf in leaves(part)]


def on(batch, device):
    return [leaf.to(device) for leaf in leaves(batch)]


def on_host(tensors):
    return [tensor.cpu().clone() for tensor in tensors]


def spoil(batch):
    for leaf in leaves(batch):
        leaf.zero_()


@DEVICES
@pytest.mark.parametrize(
    ("kind", "loader"),
    [*((kind, loader) for kind in DATA for loader in ("shuffled", "drop last")), ("tensors", "workers")]
    + [("images", loader) for loader in LOADERS if loader not in ("shuffled", "drop last")],
)
def test_samples_order_and_random_stream_are_the_same(kind, loader, device, under):
    if kind == "subset" and loader == "own sampler":
        pytest.skip("the subset has fewer rows")
    if device == "cuda":
        torch.zeros(1, device="cuda")
    plain = two_epochs(DATA[kind](), device, **LOADERS[loader])
    started, hooks = under(ResidentData(device=device))
    data = DATA[kind]()
    with hooks:
        assert first_difference(two_epochs(data, device, **LOADERS[loader]), plain) is None
    assert started.not_applied() == {}
    (path,) = resident_data.followed.values()
    assert path.counts.total(Count.FETCHED) == len(plain) - 2
    assert path.counts.total(Count.PLAIN) == 0
    assert "MiB kept there" in started.sites_changed()["resident_data"]
    del data
    gc.collect()
    assert path.num_bytes == 0


@pytest.mark.gpu
def test_batches_are_on_the_gpu_and_the_programs_own_copy_returns_them(under):
    torch.zeros(1, device="cuda")
    _, hooks = under(ResidentData())
    with hooks:
        loader = DataLoader(tensors(), batch_size=4, pin_memory=True, num_workers=1)
    for x, y in loader:
        assert (x.device.type, x.to("cuda") is x, y.cuda() is y) == ("cuda", True, True)
    assert (loader.num_workers, loader.pin_memory) == (0, False)


def test_a_program_that_has_not_used_cuda_gets_plain_batches(under, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plain = two_epochs(tensors(), batch_size=4)
    started, hooks = under(ResidentData())
    with hooks:
        assert first_difference(two_epochs(tensors(), batch_size=4), plain) is None
    assert "no batch" in started.not_applied()["resident_data"]


def in_place(data):
    data.data[3, 0] += 1


def through_numpy(data):
    data.data.numpy()[3, 1, 1] ^= 255


def an_array(data):
    data.weights[7] = 5


def a_label(data):
    data.targets[11] = 99


def another_tensor(data):
    data.data = data.data.flip(0)


@pytest.mark.parametrize("change", [in_place, through_numpy, an_array, a_label, another_tensor])
def test_a_data_set_that_changes_between_epochs_is_seen_as_changed_and_refused(change, under):
    def changing(data):
        loader = DataLoader(data, batch_size=4)
        return [[*loader], change(data), [*loader]]

    plain = changing(Images())
    started, hooks = under(ResidentData(device="cpu"))
    with hooks:
        assert first_difference(changing(Images()), plain) is None
    assert "changes while it is read" in started.not_applied()["resident_data"]


def test_what_torch_changes_in_place_between_two_batches_is_seen(under):
    data = tensors()
    _, hooks = under(ResidentData(device="cpu"))
    with hooks:
        batches = iter(DataLoader(data, batch_size=4))
        next(batches)
        data.tensors[0].fill_(3.0)
        assert next(batches)[0].unique().tolist() == [3.0]


def test_what_takes_more_than_four_fifths_of_what_is_free_is_refused():
    data = Images()
    needed = ROWS * 8  # of the columns here only the list must be copied
    ResidentPath(data, "cpu", free=lambda _: int(needed / 0.8) + 1)
    with pytest.raises(NotApplicable, match=r"columns take .* MiB .* free on cpu at most 80% are taken"):
        ResidentPath(data, "cpu", free=lambda _: int(needed / 0.8) - 1)


@pytest.mark.gpu
def test_what_does_not_fit_on_the_gpu_is_refused(under, monkeypatch):
    torch.zeros(1, device="cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (100, 100))
    started, hooks = under(ResidentData())
    with hooks:
        (first, *_) = DataLoader(tensors(), batch_size=4)
    assert first[0].device.type == "cpu"
    assert "free on cuda:0" in started.refused["resident_data"]


class Stream(IterableDataset):
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        yield from range(info.id if info else 0, 8, info.num_workers if info else 1)


class Augmented(Images):
    def __getitem__(self, index):
        return self.data[index] + torch.randn(4)


class FromFile(Dataset):
    def __init__(self):
        self.file = open(__file__, "rb")  # noqa: SIM115

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.file[index]


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (Stream(), {"num_workers": 2}, "IterableDataset gives its samples itself"),
        ([1, 2, 3], {}, "the data set is a list"),
        (Augmented(), {}, "more than to index"),
        (FromFile(), {}, "column file is a BufferedReader"),
        (Images(["a"] * ROWS), {}, "column targets is a list of str"),
        (Images([1, 2.0] * ROWS), {}, "column targets is a list of float, int"),
        (Images(), {"batch_size": None}, "batch_size=None"),
        (Images(), {"collate_fn": lambda samples: samples}, "collate_fn of the program's own"),
        (tensors(), {"num_workers": 1, "worker_init_fn": print}, "its worker_init_fn sets up"),
    ],
)
def test_other_loaders_are_refused_with_the_reason(data, options, words, under):
    started, hooks = under(ResidentData(device="cpu"))
    with hooks:
        DataLoader(data, **options)
    assert words in started.refused["resident_data"]
    assert "resident_data" in started.not_applied()


def test_a_difference_is_never_given_to_the_program_and_under_watch_ends_the_run(under, monkeypatch):
    monkeypatch.setattr(ColumnGather, "assembled", lambda *_: [torch.zeros(4, 5)])
    started, hooks = under(ResidentData(device="cpu"))
    data = TensorDataset(torch.ones(8, 5))
    with hooks:
        got = list(DataLoader(data, batch_size=4))
    assert [batch[0].unique().tolist() for batch in got] == [[1.0], [1.0]]
    assert "would have changed the data" in started.not_applied()["resident_data"]
    comparisons.compare_every_batch()
    with under(ResidentData(device="cpu"))[1], pytest.raises(ChangedData, match="resident_data: it would have"):
        list(DataLoader(TensorDataset(torch.ones(8, 5)), batch_size=4))


@pytest.mark.parametrize(
    "plan",
    [
        (ResidentData(device="cpu"), DataLoading(workers=1)),
        (DataLoading(workers=1), ResidentData(device="cpu")),
        (ResidentData(device="cpu"), BatchedFetch()),
        (BatchedFetch(), ResidentData(device="cpu")),
    ],
)
def test_with_other_transforms_the_batches_are_the_same(plan, under):
    plain = two_epochs(tensors(), batch_size=4, shuffle=True)
    _, hooks = under(*plan)
    with hooks:
        assert first_difference(two_epochs(tensors(), batch_size=4, shuffle=True), plain) is None


def test_it_is_a_candidate_where_there_is_a_gpu_alone(cpu_machine):
    assert ResidentData.candidates(cpu_machine) == ()
    assert ResidentData.candidates(replace(cpu_machine, gpus=("Example",))) == (ResidentData(),)
    with pytest.raises(NotApplicable, match="no CUDA device here"):
        ResidentData().check(cpu_machine)
    assert Plan.from_data([{"name": "resident_data", "device": "cpu"}]).transforms == (ResidentData(device="cpu"),)
