import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from hotloop.kernels.segments import Segments

GROUPS = torch.tensor([2, 0, 2, 2, 4, 0, 4])  # 1 and 3 are empty
VALUES = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_group(values):
    return [values[group == GROUPS] for group in range(5)]


def test_sums_and_maxima_are_those_of_each_group():
    segments = Segments(GROUPS, 5)
    assert torch.allclose(segments.sum(VALUES), torch.stack([part.sum(0) for part in by_group(VALUES)]))
    found = segments.amax(VALUES)
    assert torch.equal(found[[0, 2, 4]], torch.stack([by_group(VALUES)[group].amax(0) for group in (0, 2, 4)]))
    assert found[1].isneginf().all()


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_softmaxes_are_those_of_each_group_at_any_level(shift):
    found = Segments(GROUPS, 5).softmax(VALUES + shift)
    for group, part in enumerate(by_group(VALUES)):
        assert torch.allclose(found[group == GROUPS], part.softmax(0))


def test_what_is_not_valid_has_no_share_and_gets_no_gradient():
    valid = torch.ones(7, 3, dtype=torch.bool)
    valid[2] = valid[4] = valid[6] = False  # group 4 is left without any
    values = VALUES.clone().requires_grad_()
    shares = Segments(GROUPS, 5).softmax(values, valid)
    assert torch.equal(shares[[2, 4, 6]], torch.zeros(3, 3, dtype=torch.float64))
    assert torch.allclose(shares[[0, 3]], VALUES[[0, 3]].softmax(0))
    shares.square().sum().backward()
    assert values.grad.isfinite().all()
    assert not values.grad[[2, 4, 6]].any()


def test_gradients_are_right():
    segments = Segments(GROUPS, 5)
    values = VALUES.clone().requires_grad_()
    assert torch.autograd.gradcheck(segments.softmax, (values,))
    assert torch.autograd.gradcheck(lambda inputs: segments.spread(segments.sum(inputs)), (values,))


def test_padding_and_back_is_nothing():
    segments = Segments(GROUPS, 5)
    places = segments.places()
    padded = segments.padded(VALUES, places, 3, fill=-7.0)
    assert padded.shape == (5, 3, 3)
    assert torch.equal(padded[2], by_group(VALUES)[2])
    assert (padded[0, 2] == -7.0).all()
    assert torch.equal(segments.unpadded(padded, places), VALUES)


@given(
    values=st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2), st.booleans()), min_size=1, max_size=30),
)
def test_ranks_are_scipys_with_ties_averaged(values):
    group, value, valid = (np.array(column) for column in zip(*values, strict=True))
    found = Segments(torch.from_numpy(group), 4).ranks(
        torch.from_numpy(value)[:, None].double(), torch.from_numpy(valid)[:, None]
    )
    wanted = np.zeros(len(group))
    for number in range(4):
        mine = (group == number) & valid
        wanted[mine] = rankdata(value[mine])
    np.testing.assert_array_equal(found[:, 0].numpy(), wanted)
