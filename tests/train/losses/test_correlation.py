import pytest
import torch

from hotloop.train.losses.correlation import EPSILON, information_coefficient, listnet, soft_rank


def ic_of_a_day(point, target):
    p, t = point - point.mean(), target - target.mean()
    return 1.0 - (p * t).mean() / (p.square().mean() * t.square().mean() + EPSILON).sqrt()


def soft_rank_of_a_day(point, target):
    deviation = ((point - point.mean()).square().mean() + EPSILON).sqrt()
    soft = ((point[:, None] - point[None]) / (0.1 * deviation)).sigmoid().sum(1)
    ranks = target.argsort().argsort().to(point.dtype)
    return ic_of_a_day(soft, ranks)


def listnet_of_a_day(point, target):
    z = (target - target.mean()) / ((target - target.mean()).square().mean() + EPSILON).sqrt()
    return -((z / 0.5).softmax(0) * (point / 0.5).log_softmax(0)).sum()


@pytest.mark.parametrize(
    ("grouped", "of_a_day"),
    [(information_coefficient, ic_of_a_day), (soft_rank, soft_rank_of_a_day), (listnet, listnet_of_a_day)],
)
def test_values_and_gradients_are_those_of_a_loop_over_days(grouped, of_a_day, panel, days, by_day):
    point, target, valid, _ = panel
    first, second = (point.clone().requires_grad_() for _ in range(2))
    found = grouped(first, torch.where(valid, target, 0.0), days)
    wanted = by_day(of_a_day, second, target)
    assert torch.allclose(found, wanted, rtol=1e-6)
    weights = torch.tensor([1.0, 0.3], dtype=torch.float64)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert torch.allclose(first.grad, second.grad, rtol=1e-5, atol=1e-9)
    assert first.grad[valid].any()


@pytest.mark.parametrize("grouped", [information_coefficient, soft_rank, listnet])
def test_the_right_order_is_the_best_one(grouped, panel, days):
    _, target, valid, _ = panel
    known = torch.where(valid, target, 0.0)
    assert (grouped(target, known, days) < grouped(-target, known, days)).all()
