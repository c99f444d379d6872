"""Batches that a thread fetches: the same, in the same order, with the same random numbers, and no thread left over."""

import contextlib
import os
import queue
import random
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from hotloop.data.fetching import comparisons
from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.shared_counts import Count
from hotloop.errors import ChangedData, NotApplicable
from hotloop.transforms import prefetch_thread
from hotloop.transforms.batched_fetch import BatchedFetch
from hotloop.transforms.cached_samples import CachedSamples
from hotloop.transforms.data_loading import DataLoading
from hotloop.transforms.prefetch_thread import PrefetchThread

pytestmark = pytest.mark.usefixtures("fetching")
ROWS = 60
THREADS = {"hotloop-prefetch"}


class Rows(Dataset):
    """Reads its samples by a function of the data set and the index."""

    def __init__(self, read=lambda data, index: {"x": data.x[index] * 2, "index": index}, **attributes):
        self.x = torch.arange(float(ROWS * 3)).reshape(ROWS, 3)
        self.read = read
        self.__dict__.update(attributes)

    def __len__(self):
        return ROWS

    def __getitem__(self, index):
        return self.read(self, index)


class OwnSampler(torch.utils.data.Sampler):
    def __iter__(self):
        yield from sorted(range(ROWS), key=lambda _: random.random())

    def __len__(self):
        return ROWS


def generator():
    return torch.Generator().manual_seed(5)


def closure(scale):
    return lambda samples: [torch.stack([sample["x"] for sample in samples]) * scale, [s["index"] for s in samples]]


LOADERS = {
    "in order": lambda: {"batch_size": 4},
    "shuffled": lambda: {"batch_size": 4, "shuffle": True},
    "drop last": lambda: {"batch_size": 7, "shuffle": True, "drop_last": True},
    "single": lambda: {"batch_size": None, "shuffle": True},
    "closure": lambda: {"batch_size": 4, "collate_fn": closure(3)},
    "generator": lambda: {"batch_size": 7, "shuffle": True, "generator": generator()},
    "weights": lambda: {"batch_size": 4, "sampler": WeightedRandomSampler([1.0, 2.0] * (ROWS // 2), 50)},
    "replacement": lambda: {"batch_size": 4, "sampler": RandomSampler(range(ROWS), replacement=True, num_samples=70)},
    "subset": lambda: {"batch_size": 2, "sampler": SubsetRandomSampler(range(5, 45))},
    "batch sampler": lambda: {"batch_sampler": BatchSampler(SequentialSampler(range(ROWS)), 4, True)},
    "list": lambda: {"batch_sampler": [[3, 1, 3], [2], [20, 22]] * 6},
}


def whole(loader):
    yield from loader


def left_early(loader):
    for number, batch in enumerate(loader):
        yield batch
        if number == len(loader) - 2:
            break


def epochs(data, *, num=3, loop=whole, between=lambda data, epoch: None, draw=lambda: torch.rand(1), **options):
    """What a loop sees that draws numbers of its own beside the loader."""
    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)
    loader = DataLoader(data, **options)
    found = []
    for epoch in range(num):
        between(data, epoch)
        found.append([[batch, draw()] for batch in loop(loader)])
    state = options["generator"].get_state() if options.get("generator") is not None else None
    return [found, torch.rand(1), random.random(), np.random.rand(), state]


def counted(count):
    return sum(counts.total(count) for counts in prefetch_thread.followed.values())


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name in THREADS]


@pytest.mark.parametrize("loop", [whole, left_early])
@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("watched", [False, True])
def test_batches_and_random_numbers_are_the_same_and_no_thread_is_left(name, loop, watched, under):
    plain = epochs(Rows(), loop=loop, **LOADERS[name]())
    if watched:
        comparisons.compare_every_batch()
    started, hooks = under(PrefetchThread(batches=3))
    data = Rows()
    with hooks:
        assert first_difference(epochs(data, loop=loop, **LOADERS[name]()), plain) is None
    assert started.not_applied() == {}
    assert counted(Count.FETCHED) >= 6
    assert counted(Count.COMPARED) == (counted(Count.FETCHED) if watched else min(8, counted(Count.FETCHED)))
    assert started.prefetched_steps == 3
    assert our_threads() == []


def test_the_next_batches_are_fetched_while_the_program_is_at_work(under):
    names = queue.SimpleQueue()  # a list that it fills would be a data set that changes when it is read
    data = Rows(lambda data, index: names.put(threading.current_thread().name) or index)
    _, hooks = under(PrefetchThread(batches=2))
    with hooks:
        batches = iter(DataLoader(data))
        for _ in range(9):
            next(batches)
    for _ in range(200):
        if names.qsize() == 11:
            break
        threading.Event().wait(0.05)
    assert [names.get() for _ in range(11)] == ["MainThread"] * 9 + ["hotloop-prefetch"] * 2
    assert len(our_threads()) == 1
    del batches
    assert our_threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_no_thread_is_left_where_the_loop_raises(error, under):
    _, hooks = under(PrefetchThread())

    def loop():
        for number, _ in enumerate(DataLoader(Rows())):
            if number == 12:
                assert len(our_threads()) == 1
                raise error

    with hooks, contextlib.suppress(error):
        loop()
    assert our_threads() == []


def test_errors_come_where_the_program_asks_for_their_batch_in_its_own_thread(under):
    seen = []

    def read(data, index):
        if index == 30:
            raise KeyError(threading.current_thread().name)
        return index

    started, hooks = under(PrefetchThread())
    data = Rows(read)
    with hooks, pytest.raises(KeyError, match="MainThread"):
        seen.extend(batch.item() for batch in DataLoader(data))
    assert our_threads() == []
    assert "KeyError was raised in the thread" in started.not_applied()["prefetch_thread"]
    assert seen == list(range(30))


def of_numpy():
    return np.random.rand()


def late(draw, *, first=45):
    """Draws where the first batches, which are watched, show nothing of it."""
    return lambda data, index: float(draw()) if index >= first else float(index)


@pytest.mark.parametrize("first", [0, 45])
@pytest.mark.parametrize("draw", [lambda: torch.rand(1), lambda: torch.nn.functional.dropout(torch.ones(1))])
def test_data_sets_that_draw_of_torch_are_refused_and_draw_as_before(draw, first, under):
    plain = epochs(Rows(late(draw, first=first)), batch_size=2)
    started, hooks = under(PrefetchThread())
    data = Rows(late(draw, first=first))
    with hooks:
        assert first_difference(epochs(data, batch_size=2), plain) is None
    assert "draw random numbers" in started.not_applied()["prefetch_thread"]


@pytest.mark.parametrize("draw", [random.random, of_numpy])
def test_data_sets_that_draw_of_python_and_numpy_are_refused(draw, under):
    plain = epochs(Rows(late(draw, first=0)), batch_size=2)
    started, hooks = under(PrefetchThread())
    data = Rows(late(draw, first=0))
    with hooks:
        assert first_difference(epochs(data, batch_size=2), plain) is None
    assert "draw random numbers" in started.not_applied()["prefetch_thread"]


@pytest.mark.parametrize("draw", [random.random, of_numpy])
def test_draws_of_python_and_numpy_that_come_late_are_told(draw, under):
    started, hooks = under(PrefetchThread())
    with hooks:
        epochs(data := Rows(late(draw)), batch_size=2)
    assert "random numbers were drawn" in started.not_applied()["prefetch_thread"]
    assert len(data) == ROWS


def numbered(data, index):
    data.calls += 1
    return index + data.calls


def from_own(data, index):
    return float(data.rng.random())


@pytest.mark.parametrize(
    ("read", "attributes", "words"),
    [
        (numbered, lambda: {"calls": 0}, "attribute calls"),
        (from_own, lambda: {"rng": random.Random(0)}, "attribute rng"),
        (from_own, lambda: {"rng": np.random.default_rng(0)}, "attribute rng"),
    ],
)
def test_data_sets_that_change_when_they_are_read_are_refused(read, attributes, words, under):
    plain = epochs(Rows(read, **attributes()), loop=left_early, batch_size=2)
    started, hooks = under(PrefetchThread())
    data = Rows(read, **attributes())
    with hooks:
        assert first_difference(epochs(data, loop=left_early, batch_size=2), plain) is None
    assert words in started.not_applied()["prefetch_thread"]


def curriculum(data, epoch):
    data.scale = epoch


def in_place(data, epoch):
    data.x += epoch


@pytest.mark.parametrize("change", [curriculum, in_place])
def test_what_changes_between_epochs_is_seen(change, under):
    def read(data, index):
        return data.x[index] * data.scale

    plain = epochs(Rows(read, scale=1), between=change, batch_size=4)
    started, hooks = under(PrefetchThread())
    data = Rows(read, scale=1)
    with hooks:
        assert first_difference(epochs(data, between=change, batch_size=4), plain) is None
    assert started.not_applied() == {}


def test_what_changes_within_an_epoch_is_seen_and_refused(under):
    def loop(data):
        found = []
        for number, batch in enumerate(DataLoader(data, batch_size=2)):
            found.append(batch)
            data.scale = number // 12
        return found

    def scaled(data, index):
        return data.x[index] * data.scale

    plain = loop(Rows(scaled, scale=1))
    started, hooks = under(PrefetchThread())
    data = Rows(scaled, scale=1)
    with hooks:
        assert first_difference(loop(data), plain) is None
    assert "changes while the program loops over it (attribute scale)" in started.not_applied()["prefetch_thread"]


@pytest.mark.parametrize("make", [Path(__file__).open, lambda: sqlite3.connect(":memory:", check_same_thread=False)])
def test_handles_that_two_threads_would_share_are_refused(make, under):
    with contextlib.closing(make()) as handle:
        started, hooks = under(PrefetchThread())
        with hooks:
            DataLoader(Rows(handle=handle))
        assert "open file or connection (handle)" in started.refused["prefetch_thread"]


def test_a_handle_that_is_opened_on_first_use_is_found(under, tmp_path):
    def read(data, index):
        data.handle = data.handle or sqlite3.connect(tmp_path / "rows.db")
        return data.handle.execute("select ?", (index,)).fetchone()[0]

    started, hooks = under(PrefetchThread())
    data = Rows(read, handle=None)
    with hooks:
        assert [batch.item() for batch in DataLoader(data)] == list(range(ROWS))
    assert "open file or connection (handle)" in started.not_applied()["prefetch_thread"]
    data.handle.close()


def grad_mode(data, index):
    weight = torch.ones(1, requires_grad=True)
    return [(weight * index).requires_grad, torch.is_inference_mode_enabled(), torch.ones(1).dtype == torch.float64]


@contextlib.contextmanager
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode, double])
def test_modes_of_the_programs_thread_hold_in_the_other(mode, under):
    with mode():
        plain = epochs(Rows(grad_mode), batch_size=2)
        started, hooks = under(PrefetchThread())
        data = Rows(grad_mode)
        with hooks:
            assert first_difference(epochs(data, batch_size=2), plain) is None
    assert started.not_applied() == {}


def test_under_autocast_and_on_a_device_of_its_own_nothing_is_fetched_ahead(under):
    started, hooks = under(PrefetchThread())
    data = Rows()
    with hooks, torch.autocast("cpu", torch.bfloat16):
        epochs(data, batch_size=4)
    with torch.device("cpu"):
        epochs(data, batch_size=4)
    assert "no batch has been fetched by a thread" in started.not_applied()["prefetch_thread"]


class Stream(IterableDataset):
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        yield from range(info.id if info else 0, 8, info.num_workers if info else 1)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (Stream(), {}, "IterableDataset gives its samples itself"),
        ([1, 2, 3], {}, "the data set is a list"),
        (Rows(), {"num_workers": 1}, "its workers fetch ahead already"),
        (Rows(), {"sampler": OwnSampler()}, "a OwnSampler is a sampler of the program's own"),
        (Rows(), {"batch_sampler": BatchSampler(OwnSampler(), 4, True)}, "a OwnSampler is a sampler"),
        (Rows(), {"sampler": RandomSampler(range(9), True, 9, generator())}, "draws as it goes"),
        (Rows(), {"sampler": RandomSampler(range(9), False, 19, generator())}, "draws as it goes"),
    ],
)
def test_other_loaders_are_refused_with_the_reason(data, options, words, under):
    started, hooks = under(PrefetchThread())
    with hooks:
        DataLoader(data, **options)
    assert words in started.refused["prefetch_thread"]


def test_loaders_that_are_iterated_over_together_give_what_they_gave(under):
    def together(data):
        torch.manual_seed(3)
        first, second = (DataLoader(Subset(data, range(n, ROWS)), batch_size=2, shuffle=True) for n in (0, 10))
        return [[*zip(first, second, strict=False)] for _ in range(2)], torch.rand(1)

    plain = together(Rows())
    started, hooks = under(PrefetchThread())
    data = Rows()
    with hooks:
        assert first_difference(together(data), plain) is None
        assert started.not_applied() == {}
    assert our_threads() == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_that_is_forked_in_the_middle_of_a_loop_can_end_it(under):
    _, hooks = under(PrefetchThread())
    with hooks:
        batches = iter(DataLoader(Rows(), batch_size=2, shuffle=False))
        first = [next(batches)["index"].tolist() for _ in range(12)]
    child = os.fork()
    if not child:
        rest = [batch["index"].tolist() for batch in batches]
        os._exit(int(first + rest == [[n, n + 1] for n in range(0, ROWS, 2)]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert len(list(batches)) == 18


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ((PrefetchThread(), CachedSamples()), "must not be gone by two threads"),
        ((CachedSamples(), PrefetchThread()), "must not be gone by two threads"),
        ((DataLoading(workers=1), PrefetchThread()), "its workers fetch ahead already"),
        ((PrefetchThread(), DataLoading(workers=1)), "no batch has been fetched by a thread"),
    ],
)
def test_what_it_does_not_go_with_is_told(plan, words, under):
    plain = epochs(Rows(), batch_size=4, shuffle=True)
    started, hooks = under(*plan)
    data = Rows()
    with hooks:
        assert first_difference(epochs(data, batch_size=4, shuffle=True), plain) is None
    assert words in started.not_applied()["prefetch_thread"]


@pytest.mark.parametrize("plan", [(PrefetchThread(), BatchedFetch()), (BatchedFetch(), PrefetchThread())])
def test_gathered_batches_can_be_fetched_ahead(plan, under):
    def tensors():
        return torch.utils.data.TensorDataset(torch.arange(90.0).reshape(45, 2))

    plain = epochs(tensors(), batch_size=4, shuffle=True)
    started, hooks = under(*plan)
    data = tensors()
    with hooks:
        assert first_difference(epochs(data, batch_size=4, shuffle=True), plain) is None
    assert started.not_applied() == {}


def test_a_difference_is_never_given_to_the_program_and_under_watch_ends_the_run(under):
    def read(data, index):
        return float(threading.current_thread().name == "MainThread")

    started, hooks = under(PrefetchThread())
    data = Rows(read)
    with hooks:
        assert {batch.item() for batch in DataLoader(data)} == {1.0}
    assert "would have changed the data" in started.not_applied()["prefetch_thread"]
    comparisons.compare_every_batch()
    data = Rows(read)
    with under(PrefetchThread())[1], pytest.raises(ChangedData, match="prefetch_thread: it would have"):
        list(DataLoader(data))


def test_a_gpu_gets_pinned_batches_and_one_core_is_not_enough(cpu_machine):
    with_gpu = replace(cpu_machine, gpus=("Example",))
    assert PrefetchThread.candidates(cpu_machine) == (PrefetchThread(),)
    assert [one.copies for one in PrefetchThread.candidates(with_gpu)] == ["non_blocking", "pinned"]
    for transform, machine, words in (
        (PrefetchThread(), replace(cpu_machine, cores=(0,)), "one core"),
        (PrefetchThread(copies="pinned"), cpu_machine, "there is none here"),
    ):
        with pytest.raises(NotApplicable, match=words):
            transform.check(machine)


@pytest.mark.parametrize("loop", [whole, left_early])
def test_the_sampler_of_accelerate_counts_its_epochs_as_before(loop, under):
    accelerate = pytest.importorskip("accelerate.data_loader")

    def options():
        return {"batch_size": 4, "sampler": accelerate.SeedableRandomSampler(range(ROWS), data_seed=3)}

    plain = epochs(Rows(), loop=loop, **options())
    started, hooks = under(PrefetchThread(batches=3))
    data = Rows()
    with hooks:
        assert first_difference(epochs(data, loop=loop, **options()), plain) is None
    assert started.not_applied() == {}


@pytest.mark.gpu
@pytest.mark.parametrize("copies", ["pinned", "non_blocking"])
def test_on_a_gpu_batches_are_pinned_or_there_already(copies, under):
    torch.zeros(1, device="cuda")
    plain = [batch["x"] for batch in DataLoader(Rows(), batch_size=2)]
    started, hooks = under(PrefetchThread(copies=copies))
    data = Rows()
    with hooks:
        got = [batch["x"] for batch in DataLoader(data, batch_size=2)]
    assert all(x.is_cuda if copies == "non_blocking" else x.is_pinned() for x in got)
    assert first_difference([x.cpu() for x in got], plain) is None
    assert started.not_applied() == {}
