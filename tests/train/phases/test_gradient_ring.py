import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotloop.train.phases.gradient_ring import GradientRing


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 100))
def test_combines_the_last_gradients_whatever_row_they_are_in(capacity, num, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    ring = GradientRing(5, capacity=capacity)
    gradients = torch.randn(num, 5, generator=generator)
    for step, gradient in enumerate(gradients):
        ring.record(gradient, step)
    kept = gradients[-capacity:]
    weights = torch.randn(len(kept), generator=generator)
    assert ring.steps == tuple(range(num))[-capacity:]
    torch.testing.assert_close(ring.combine(weights.tolist(), torch.empty(5)), weights @ kept)
    torch.testing.assert_close(ring.rows(), kept)


def test_a_state_goes_on_with_the_same_rows() -> None:
    first, second = GradientRing(2, capacity=3), GradientRing(2, capacity=3)
    for step in range(4):
        first.record(torch.full((2,), float(step)), step)
    second.load_state_dict(first.state_dict())
    for ring in (first, second):
        ring.record(torch.full((2,), 9.0), 7)
    assert second.steps == (2, 3, 7)
    assert torch.equal(first.rows(), second.rows())


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="same parameters and predictor"):
        GradientRing(2, capacity=3).load_state_dict(GradientRing(2, capacity=4).state_dict())


def test_nothing_is_left_after_clear() -> None:
    ring = GradientRing(2, capacity=3)
    ring.record(torch.ones(2), 0)
    ring.clear()
    assert ring.steps == ()
