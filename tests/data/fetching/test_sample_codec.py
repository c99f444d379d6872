"""Samples that come back from bytes as they were, or are refused."""

import mmap
from collections import OrderedDict

import numpy as np
import pytest
import torch

from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.sample_codec import copied, decode, encode
from hotloop.errors import NotApplicable


def there_and_back(sample):
    layout, leaves = encode(sample)
    buffer = mmap.mmap(-1, len(leaves) + 64)
    buffer[32 : 32 + len(leaves)] = leaves
    return decode(layout, buffer, 32)


@pytest.mark.parametrize(
    "sample",
    [
        torch.randn(3, 4, dtype=torch.float64),
        torch.randn(4, 6, 3).permute(2, 0, 1),
        torch.tensor(True),
        torch.zeros(0, 3),
        torch.randn(2, dtype=torch.complex64),
        torch.ones(5, dtype=torch.bfloat16),
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.zeros((0, 2)),
        np.float16(0.5),
        np.str_("word"),
        (1, -(2**63), True, False, 1.5, float("-inf"), None),
        {"a": [1, 2, 3], 5: ["x", b"\0y", "\udc80"], "b": []},
        [(), {}, [1, True], [[1], [2.0]]],
    ],
    ids=range(13),
)
def test_a_sample_comes_back_as_it_was(sample):
    found = there_and_back(sample)
    assert first_difference(found, sample) is None
    assert first_difference(copied(found), sample) is None


def test_a_copy_has_memory_of_its_own():
    kept = there_and_back([torch.zeros(3), np.zeros(3)])
    first, second = copied(kept)
    first.add_(1)
    second += 1
    assert first_difference(kept, [torch.zeros(3), np.zeros(3)]) is None


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (torch.ones(3, 3)[:, 0], "not plain and dense"),
        (torch.ones(1).expand(4), "not plain and dense"),
        (torch.ones(3, requires_grad=True), "not plain and dense"),
        (torch.ones(3, 3).to_sparse(), "not plain and dense"),
        (torch.nn.Parameter(torch.ones(3)), "hold a Parameter"),
        (np.array([object()]), "not plain and dense"),
        (np.ones((2, 3)).T, "not plain and dense"),
        (2**64, "more than 64 bits"),
        ([object()], "hold a object"),
        (OrderedDict(a=1), "hold a OrderedDict"),
        ({(1, 2): 3}, "hold a dict"),
        (range(3), "hold a range"),
    ],
)
def test_what_would_not_come_back_is_refused(sample, words):
    with pytest.raises(NotApplicable, match=words):
        encode(sample)
