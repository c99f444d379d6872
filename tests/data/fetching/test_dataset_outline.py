"""What a glance at a data set shows, and what it says that it cannot show."""

import multiprocessing
import random
import re
import types

import numpy as np
import pytest
import torch
from torch.utils.data import Subset

from hotloop.data.fetching.dataset_outline import Outline


class Data:
    def __init__(self):
        self.number, self.name = 3, "a"
        self.texts, self.table = ["x", "y"], {"x": 1}
        self.rows, self.array = torch.zeros(4), np.zeros(4)
        self.pattern, self.function = re.compile("x"), len


CHANGES = {
    "plain": lambda data: setattr(data, "number", 4),
    "object": lambda data: setattr(data, "texts", ["x", "y"]),
    "list": lambda data: data.texts.append("z"),
    "dict": lambda data: data.table.update(z=2),
    "tensor": lambda data: data.rows.add_(1),
    "attribute": lambda data: setattr(data, "more", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows_in_the_data_set_and_in_one_that_wraps_it(name):
    data = Data()
    for dataset in (data, Subset(data, [0])):
        before = Outline(dataset)
        assert before.is_enough
        assert Outline(dataset).is_same(before)
        CHANGES[name](data)
        assert not Outline(dataset).is_same(before)
        data.__dict__ = Data().__dict__


@pytest.mark.parametrize(
    "value",
    [
        random.Random(0),
        torch.Generator(),
        np.random.default_rng(0),
        multiprocessing.Value("i", 0),
        types.SimpleNamespace(probability=0.5),
        [random.Random(0)],
        {"flip": types.SimpleNamespace(probability=0.5)},
    ],
)
def test_what_may_change_without_a_trace_needs_more_than_a_glance(value):
    data = Data()
    data.held = value
    assert not Outline(data).is_enough
