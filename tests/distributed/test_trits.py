import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.distributed.trits import bind, bundle, pack, packed_size, unbind, unpack

TRITS = (-1, 0, 1)


def vector(*values):
    return torch.tensor(values, dtype=torch.int8)


@settings(deadline=None)
@given(st.lists(st.sampled_from(TRITS), min_size=1, max_size=60))
def test_packing_is_exact(values) -> None:
    packed = pack(vector(*values))
    assert packed.dtype == torch.uint8
    assert packed.shape == (packed_size(len(values)),) == (-(-len(values) // 5),)
    assert unpack(packed, len(values)).tolist() == values


def test_unbinding_is_exact_for_all_nine() -> None:
    values = list(itertools.product(TRITS, TRITS))
    a, key = (vector(*column) for column in zip(*values, strict=True))
    bound = bind(a, key)
    assert set(bound.tolist()) <= set(TRITS)
    assert unbind(bound, key).tolist() == a.tolist()


def test_a_bundle_is_the_majority() -> None:
    assert bundle([vector(1, 1, -1, 0), vector(1, -1, -1, 1), vector(-1, 0, 1, 0)]).tolist() == [1, 0, -1, 1]


def test_a_bundle_of_hundreds_does_not_overflow() -> None:
    assert bundle([vector(1, -1)] * 300).tolist() == [1, -1]


def test_bundles_of_nothing_or_of_other_shapes_are_refused() -> None:
    for vectors in ([], [vector(1), vector(1, 0)]):
        with pytest.raises(ValueError, match="same shape"):
            bundle(vectors)
