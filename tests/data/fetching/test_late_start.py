"""Loaders that are iterated over together give the batches that they give plainly, and leave the same random stream."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader, Sampler, TensorDataset

from hotloop.data.fetching.kept_workers import kept_workers
from hotloop.data.fetching.late_start import early_here, late_workers


def loaders(**options):
    sets = [TensorDataset(torch.arange(12) + 100 * n) for n in (0, 1)]
    return [DataLoader(each, batch_size=4, shuffle=True, **made(options)) for each in sets]


class DrawnAtOnce(Sampler):
    """Draws its order as soon as it is asked, not when the first index is."""

    def __iter__(self):
        return iter(torch.randperm(12).split(4))


def own_loaders(**options):
    sets = [TensorDataset(torch.arange(12) + 100 * n) for n in (0, 1)]
    return [DataLoader(each, batch_sampler=DrawnAtOnce(), **made(options)) for each in sets]


def made(options):
    return {name: value() if callable(value) else value for name, value in options.items()}


def zipped(first, second):
    return [x.tolist() for _ in range(3) for pair in zip(first, second, strict=True) for (x,) in pair]


def begun_again(first, second):
    """Semi-supervised training: one loader sets the pace, the other begins again where it ends."""
    seen, others = [], iter(second)
    for _ in range(2):
        for (x,) in first:
            seen += [x.tolist(), torch.rand(()).item()]
            for _ in range(2):
                try:
                    (y,) = next(others)
                except StopIteration:
                    others = iter(second)
                    (y,) = next(others)
                seen.append(y.tolist())
    return seen


def drawn_between(first, second):
    batches = iter(first)
    seen = [torch.rand(()).item()]
    return [*seen, *(x.tolist() for (x,) in batches), *(x.tolist() for (x,) in second)]


def left_early(first, second):
    seen = []
    for _ in range(3):
        for (x,) in first:
            seen.append(x.tolist())
            break
        iter(second)
    return [*seen, *(x.tolist() for (x,) in second)]


def same(loop, plain, planned, make=loaders):
    results = []
    for options in (plain, planned):
        torch.manual_seed(3)
        results.append((loop(*make(**options)), torch.rand(2).tolist()))
    assert results[0] == results[1]


MAKERS = pytest.mark.parametrize("make", [loaders, own_loaders])
LOOPS = pytest.mark.parametrize("loop", [zipped, begun_again, drawn_between, left_early])


@LOOPS
@MAKERS
@pytest.mark.parametrize("persistent", [False, kept_workers], ids=["new", "kept"])
def test_workers_where_there_were_none(loop, persistent, make):
    planned = {"num_workers": lambda: late_workers(1), "persistent_workers": persistent}
    same(loop, {"num_workers": 0}, planned, make)


@LOOPS
@MAKERS
def test_no_workers_where_there_were_some(loop, make):
    same(loop, {"num_workers": 1}, {"num_workers": early_here}, make)


@MAKERS
@pytest.mark.parametrize("loop", [zipped, drawn_between])
def test_no_workers_where_some_stayed(loop, make):
    def twice(first, second):
        return loop(first, second) + loop(first, second)

    plain = {"num_workers": 1, "persistent_workers": True}
    same(twice, plain, {"num_workers": lambda: early_here(persistent=True)}, make)


@LOOPS
@MAKERS
def test_workers_that_stay_where_new_ones_were(loop, make):
    same(loop, {"num_workers": 1}, {"num_workers": 1, "persistent_workers": kept_workers}, make)


def test_nothing_of_it_is_saved():
    for count in (late_workers(2), early_here()):
        assert type(pickle.loads(pickle.dumps(count))) is int
        assert repr(count) in ("2", "0")
