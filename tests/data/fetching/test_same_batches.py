"""Batches that are the same, byte by byte, and the first thing in which others differ."""

import threading
from collections import UserDict, deque

import numpy as np
import pytest
import torch

from hotloop.data.fetching.same_batches import first_difference

NAN = float("nan")


class Graph:
    """Nodes that know their graph, as batches of other libraries do."""

    def __init__(self, nodes, **more):
        self.nodes = [{"value": node, "graph": self} for node in nodes]
        self.__dict__.update(more)


@pytest.mark.parametrize(
    "batch",
    [
        torch.arange(3),
        torch.tensor(1.5),
        torch.tensor([NAN, 0.0]),
        torch.ones(2, dtype=torch.bool),
        [torch.ones(2), {"a": ("x", 1, None, 1.5, NAN, b"y")}],
        np.array([1.0, NAN]),
        np.float32(1.5),
        Graph([1, NAN]),
        UserDict(x=torch.zeros(1)),
        deque([torch.zeros(2)]),
        torch.device("cpu"),
    ],
    ids=lambda batch: type(batch).__name__,
)
def test_a_batch_is_the_same_as_a_copy_of_it(batch):
    import copy

    assert first_difference(batch, copy.deepcopy(batch)) is None


@pytest.mark.parametrize(
    ("mine", "other", "words"),
    [
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64), "dtype"),
        (torch.zeros(2), torch.zeros(1, 2), "shape"),
        (torch.zeros(2), -torch.zeros(2), "other values"),
        (torch.zeros(2, 3), torch.zeros(3, 2).T, "strides"),
        (torch.zeros(2, requires_grad=True), torch.zeros(2), "requires_grad"),
        ([torch.zeros(2)], (torch.zeros(2),), "list in place of a tuple"),
        ([torch.zeros(2), torch.zeros(1)], [torch.zeros(2), torch.ones(1)], "part 1 of the batch holds other values"),
        ({"a": 1}, {"b": 1}, "other keys"),
        ([1, 2], [1], "2 parts in place of 1"),
        (1, True, "int in place of a bool"),
        (1.0, 2.0, "1.0 in place of 2.0"),
        ("a", "b", "'a' in place of 'b'"),
        (np.zeros(2), np.zeros(2, dtype="f4"), "in place of array"),
        (iter([1]).__iter__, print, "method-wrapper in place of a builtin_function"),
        ((n for n in (1,)), (n for n in (1,)), "a generator, which cannot be compared"),
        (lambda: 1, lambda: 1, "a function, which cannot be compared"),
        (Graph([1, 2]), Graph([1, 3]), "in place of 3"),
        (Graph([1, 2], lock=threading.Lock()), Graph([1, 2], lock=threading.Lock()), "lock, which cannot be compared"),
        (UserDict(x=torch.zeros(1)), UserDict(x=torch.ones(1)), "holds other values"),
        (deque([1]), deque([2]), "1 in place of 2"),
    ],
)
def test_the_first_difference_is_told_in_words(mine, other, words):
    assert words in first_difference(mine, other)
