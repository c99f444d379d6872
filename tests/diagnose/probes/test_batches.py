"""Loaders that yield one sample at a time."""

import pytest

from hotloop.diagnose.probes.batches import is_single

from ..conftest import PROGRAMS

PROGRAM = PROGRAMS / "housekeeping.py"


def test_single_samples_are_told_with_the_wait_that_each_costs(diagnosed):
    (single,) = [f for f in diagnosed(PROGRAM).findings if f.code == "DA08"]
    assert single.share == diagnosed(PROGRAM).phases["data_wait"]["share"] > 0.1
    assert single.amdahl_limit is None  # the size of a batch limits it, and that is the user's to choose


@pytest.mark.parametrize(
    ("shapes", "seen", "expected"),
    [
        ([(1, 16), (1,)], None, True),
        ([(), ()], None, True),
        ([(3, 8, 8), ()], (1, 3, 8, 8), True),  # the program itself makes a batch of one
        ([(16,), ()], (16,), True),  # no batch dimension at all
        ([(16,), ()], None, False),  # nobody called a model: it may be anything
        ([(32, 16), (32,)], (32, 16), False),
        ([(32,), (32,)], (32,), False),
        ([(32, 16), ()], (32, 16), False),  # a batch, and a number about it
        ([(7, 3), (2, 11)], (7, 3), False),  # a graph: nodes and edges
        ([], (1, 3), False),
    ],
)
def test_a_single_sample_is_told_from_a_batch(shapes, seen, expected):
    assert is_single(shapes, seen) is expected
