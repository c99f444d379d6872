"""What a data set depends on, and whether it is still the same."""

import functools
import io
import multiprocessing
import random

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, Subset

from hotloop.data.fetching.dataset_state import changed, open_handles, state_of

SCALE = [1.0]


def scaled(value, by=1.0):
    return value * by * SCALE[0]


class Nested:
    __slots__ = ("probability",)

    def __init__(self):
        self.probability = 0.5


class Data(Dataset):
    def __init__(self):
        offset = 1
        self.number = 1
        self.small, self.large = torch.zeros(3), torch.zeros(50_000)
        self.array = np.zeros(10)
        self.names = ["a"] * 1000
        self.options = {"flip": [Nested()]}
        self.generators = [random.Random(1), np.random.default_rng(1), torch.Generator()]
        self.shared = multiprocessing.Value("i", 0)
        self.transform = functools.partial(scaled, by=2.0)
        self.closure = lambda value: value + offset
        self.file = None
        self.itself = self

    def __getitem__(self, index):
        return scaled(index)

    def advance(self):
        self.shared.value += 1


def adding(offset):
    return lambda value: value + offset


def refill(data):
    data.large.data[::2] = 1


CHANGES = {
    "number": lambda data: setattr(data, "number", 2),
    "small": lambda data: data.small.data.fill_(1),
    "large": refill,
    "array": lambda data: data.array.__setitem__(3, 1),
    "names": lambda data: data.names.append("b"),
    "options": lambda data: setattr(data.options["flip"][0], "probability", 0.1),
    "generators": lambda data: data.generators[1].random(),
    "shared": lambda data: data.advance(),
    "transform": lambda data: setattr(data, "transform", functools.partial(scaled, by=3.0)),
    "closure": lambda data: setattr(data, "closure", adding(2)),
    "globals": lambda _: SCALE.__setitem__(0, SCALE[0] + 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_by_the_attribute_that_changed(name):
    data = Data()
    before = state_of(data)
    assert changed(before, state_of(data)) is None
    CHANGES[name](data)
    assert changed(before, state_of(data)) in (name, "transform")  # a function in it reads the global too


def test_what_is_filled_on_first_use_is_no_change():
    data = Data()
    before = state_of(data)
    data.file = io.BytesIO()
    assert changed(before, state_of(data)) is None
    assert changed(state_of(data), before) is None


def test_the_state_of_a_subset_is_that_of_its_data_set_too():
    data = Data()
    subset = Subset(data, [1])
    before = state_of(subset)
    data.number = 2
    assert changed(before, state_of(subset)) == "dataset.number"
    before = state_of(subset)
    data.file = io.BytesIO()
    assert changed(before, state_of(subset)) is None


def test_reading_a_state_draws_nothing_and_changes_nothing():
    data = Data()
    versions = [data.large._version, data.generators[0].getstate()]
    state_of(data)
    assert versions == [data.large._version, data.generators[0].getstate()]


def test_open_handles_are_found_in_what_a_subset_wraps_and_closed_ones_are_not(tmp_path):
    data = Data()
    data.file = (tmp_path / "rows").open("w")
    assert open_handles(Subset(data, [0])) == ["file"]
    data.file.close()
    assert open_handles(data) == []
