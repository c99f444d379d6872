import itertools
import math

import pytest
import torch

from hotloop.train.averaging import WeightExtrapolator

CURVATURES = torch.tensor([1.0, 0.3, 0.05])


def loss_of(weight):
    return 0.5 * (CURVATURES * weight**2).sum()


def descended(kind, steps, **options):
    weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.5)
    ahead = None if kind is None else WeightExtrapolator([weight], lambda: loss_of(weight), kind=kind, **options)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(weight).backward()
        optimizer.step()
        if ahead is not None:
            ahead.step()
    return loss_of(weight).item(), ahead


@pytest.mark.parametrize("kind", ["linear", "dmd", "anderson"])
def test_gradient_descent_on_a_full_batch_is_shortened(kind: str) -> None:
    plain, _ = descended(None, 30)
    loss, ahead = descended(kind, 30, every=1, num_points=5, horizon=10)
    assert loss < 0.5 * plain
    assert ahead.num_accepted >= 1


@pytest.mark.parametrize("kind", ["dmd", "anderson"])
def test_a_linear_map_of_three_dimensions_is_seen_through(kind: str) -> None:
    loss, ahead = descended(kind, 5, every=1, num_points=5, horizon=500)
    assert ahead.num_accepted == 1
    assert loss < 1e-4  # 0.29 after five plain steps


def test_a_steady_drift_is_continued_exactly_by_the_line() -> None:
    weight = torch.zeros(2)
    ahead = WeightExtrapolator([weight], lambda: -weight.sum(), kind="linear", every=1, num_points=4, horizon=7)
    for _ in range(4):
        weight += torch.tensor([1.0, 2.0])
        ahead.step()
    torch.testing.assert_close(weight, torch.tensor([11.0, 22.0]))


@pytest.mark.parametrize("after", [2.0, math.nan])
def test_a_jump_that_does_not_help_is_taken_back_and_the_next_waits_longer(after: float) -> None:
    weight = torch.tensor([0.1, 0.7])
    answers = iter([1.0, after] * 20)
    ahead = WeightExtrapolator([weight], lambda: next(answers), every=1, num_points=3)
    tried = []
    for step in range(60):
        weight *= 0.9
        before = weight.clone()
        result = ahead.step()
        if result is not None:
            tried.append(step)
            assert not result.is_accepted
        assert torch.equal(weight, before)
    gaps = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 3 * gaps[0]
    assert ahead.num_rejected == len(tried)


def test_a_probe_that_raises_leaves_the_weights() -> None:
    weight, calls = torch.ones(2), []

    def probe():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("broken")
        return 1.0

    ahead = WeightExtrapolator([weight], probe, every=1, num_points=3)
    for _ in range(2):
        weight *= 0.5
        ahead.step()
    weight *= 0.5
    with pytest.raises(RuntimeError, match="broken"):
        ahead.step()
    assert weight.tolist() == [0.125, 0.125]


def test_weights_that_do_not_move_are_no_error() -> None:
    weight = torch.ones(2)
    for kind in ("linear", "dmd", "anderson"):
        ahead = WeightExtrapolator([weight], lambda: 1.0, kind=kind, every=1, num_points=3)
        for _ in range(3):
            ahead.step()
        assert weight.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("wrong", [{"kind": "other"}, {"every": 0}, {"num_points": 2}, {"horizon": 0}])
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WeightExtrapolator([torch.zeros(1)], lambda: 0.0, **wrong)
