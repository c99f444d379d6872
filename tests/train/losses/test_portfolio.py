import pytest
import torch

from hotloop.train.losses.day_groups import DayGroups
from hotloop.train.losses.portfolio import CLIP, EPSILON, RIDGE, Turnover, exposure, sharpe


def sharpe_of_a_day(point, target):
    centred = point - point.mean()
    z = (centred / (centred.square().mean() + EPSILON).sqrt()).clamp(-CLIP, CLIP)
    earned = z / (z.abs().sum() + EPSILON) * target
    return -earned.sum() / (earned.square().sum() + EPSILON).sqrt()


def test_sharpe_has_values_and_gradients_of_a_loop_over_days(panel, days, by_day):
    point, target, _, _ = panel
    first, second = (point.clone().requires_grad_() for _ in range(2))
    found, wanted = sharpe(first, target, days), by_day(sharpe_of_a_day, second, target)
    assert torch.allclose(found, wanted, rtol=1e-6)
    found.sum().backward()
    wanted.sum().backward()
    assert torch.allclose(first.grad, second.grad, rtol=1e-5, atol=1e-9)


def test_exposure_has_values_and_gradients_of_a_loop_over_days(panel, days):
    point, _, _, group = panel
    factors = torch.randn(len(point), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    first, second = (point.clone().requires_grad_() for _ in range(2))
    found = exposure(first, factors, days)
    wanted = []
    for horizon in range(2):
        shares = []
        for day in range(6):
            mine = group == day
            if days.size_DH[day, horizon] < 2:
                continue
            y = second[mine][:, horizon] - second[mine][:, horizon].mean()
            x = factors[mine] - factors[mine].mean(0)
            size = len(y)
            loadings = torch.linalg.solve(x.T @ x / size + RIDGE * torch.eye(3, dtype=torch.float64), x.T @ y / size)
            shares.append(loadings @ (x.T @ y / size) / (y.square().mean() + EPSILON))
        wanted.append(torch.stack(shares).mean())
    assert torch.allclose(found, torch.stack(wanted), rtol=1e-6)
    found.sum().backward()
    torch.stack(wanted).sum().backward()
    assert torch.allclose(first.grad, second.grad, rtol=1e-5, atol=1e-9)


def test_a_forecast_that_is_its_exposure_is_explained_wholly():
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(200, 2, generator=generator)
    days = DayGroups(torch.arange(2).repeat_interleave(100), 2, torch.ones(200, 2, dtype=torch.bool), largest=100)
    loaded = torch.stack([factors[:, 0] * 3.0, torch.randn(200, generator=generator)], dim=1)
    found = exposure(loaded, factors, days)
    assert found[0] > 0.99
    assert found[1] < 0.1


def turnover_one_by_one(batches, num_stocks, decay):
    averages, penalties = {}, []
    for point, stock, _ in batches:
        distances = []
        for row, number in zip(point, stock.tolist(), strict=True):
            if number in averages:
                distances.append((row - averages[number]).abs())
                averages[number] = decay * averages[number] + (1.0 - decay) * row
            else:
                averages[number] = row
        penalties.append(torch.stack(distances).mean(0) if distances else torch.zeros(point.shape[1]))
    return penalties, averages


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_turnover_is_that_of_a_loop_over_days_and_stocks(decay):
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(4):
        here = torch.rand(5, 8, generator=generator) > 0.4  # days, stocks
        group, stock = here.nonzero(as_tuple=True)
        point = torch.randn(len(stock), 2, generator=generator)
        days = DayGroups(group, 5, torch.ones(len(stock), 2, dtype=torch.bool), largest=8)
        batches.append((point, stock, days))
    penalty = Turnover(8, 2, decay=decay)
    found = [penalty(*batch) for batch in batches]
    wanted, averages = turnover_one_by_one(batches, 8, decay)
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    for number, average in averages.items():
        assert torch.allclose(penalty.average[number], average, atol=1e-5)


def test_turnover_pulls_forecasts_towards_their_average():
    days = DayGroups(torch.zeros(2, dtype=torch.int64), 1, torch.ones(2, 1, dtype=torch.bool), largest=2)
    penalty = Turnover(2, 1)
    assert penalty(torch.tensor([[1.0], [2.0]]), torch.arange(2), days) == 0.0
    point = torch.tensor([[3.0], [0.0]], requires_grad=True)
    penalty(point, torch.arange(2), days).sum().backward()
    assert point.grad.tolist() == [[0.5], [-0.5]]


def test_a_decay_that_is_none_and_too_many_days_are_refused():
    with pytest.raises(ValueError, match="decay 1"):
        Turnover(2, 1, decay=1.0)
    days = DayGroups(torch.arange(2000), 2000, torch.ones(2000, 1, dtype=torch.bool), largest=1)
    with pytest.raises(ValueError, match="fewer days a batch"):
        Turnover(1, 1, decay=0.5)(torch.zeros(2000, 1), torch.zeros(2000, dtype=torch.int64), days)
