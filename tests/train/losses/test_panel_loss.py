from dataclasses import asdict

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.data.panel import PanelBatch
from hotloop.models.panel.forecast import Forecast
from hotloop.train.losses.panel_loss import LossWeights, PanelLoss

LEVELS, SIZES = (0.1, 0.5, 0.9), (6, 1, 3)
READS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::is_nonzero"}
ALL = LossWeights(**dict.fromkeys(asdict(LossWeights()), 0.5))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    group = torch.repeat_interleave(torch.arange(3), torch.tensor(SIZES))
    targets = torch.randn(10, 2, generator=generator) * 0.02
    targets[3] = targets[7, 1] = torch.nan
    return PanelBatch(
        features=torch.randn(10, 5, 4, generator=generator),
        targets=targets,
        exposures=torch.randn(10, 2, generator=generator),
        group=group,
        place=torch.cat([torch.arange(size) for size in SIZES]),
        stock=torch.cat([torch.arange(size) for size in SIZES]),
        day=group + 100,
        num_groups=3,
        largest=6,
    )


@pytest.fixture
def forecast():
    generator = torch.Generator().manual_seed(1)
    quantiles = torch.randn(10, 2, 3, generator=generator).sort(-1).values
    student = torch.rand(10, 2, 3, generator=generator) + 2.5
    direction = torch.randn(10, 2, generator=generator)
    selection = torch.rand(10, 5, 4, generator=generator)
    return Forecast(*(value.requires_grad_() for value in (quantiles, student, direction, selection)))


def criterion(weights=ALL, horizon_weights=(1.0, 0.6)):
    scale = torch.tensor([0.02, 0.02])
    return PanelLoss(weights, levels=LEVELS, horizon_weights=horizon_weights, scale_H=scale, num_stocks=6)


class Operators(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(function.name())
        return function(*args, **(kwargs or {}))


def test_every_loss_is_summed_and_nothing_is_read(batch, forecast):
    loss = criterion()
    loss(forecast, batch)  # the averages of turnover have been seen
    with Operators() as found:
        total, parts = loss(forecast, batch)
        total.backward()
    assert not found.names & READS
    assert set(parts) == set(asdict(LossWeights()))
    assert torch.allclose(total, 0.5 * torch.stack(list(parts.values())).sum())
    assert all(value.grad.isfinite().all() and value.grad.any() for value in forecast)


def test_horizons_are_weighted(batch, forecast):
    weights = LossWeights(ic=0.0, sharpe=0.0, selection=0.0)
    first, second, both = (
        criterion(weights, horizons)(forecast, batch)[0] for horizons in ((1.0, 0.0), (0.0, 1.0), (1.0, 0.6))
    )
    assert torch.allclose(both, (first + 0.6 * second) / 1.6)


def test_targets_are_taken_in_units_of_their_deviation(batch, forecast):
    same = batch._replace(targets=batch.targets * 3.0)
    scaled = PanelLoss(ALL, levels=LEVELS, horizon_weights=(1.0, 0.6), scale_H=torch.tensor([0.06, 0.06]), num_stocks=6)
    assert torch.allclose(scaled(forecast, same)[0], criterion()(forecast, batch)[0], rtol=1e-4)


def test_a_batch_of_unknown_targets_gives_no_gradient_and_no_nan(batch, forecast):
    unknown = batch._replace(targets=torch.full_like(batch.targets, torch.nan))
    total, _ = criterion(LossWeights(selection=0.0))(forecast, unknown)
    total.backward()
    assert total == 0.0
    assert not forecast.quantiles.grad.any()


@pytest.mark.parametrize("head", ["student", "direction"])
def test_a_head_that_is_missing_is_told(batch, forecast, head):
    with pytest.raises(ValueError, match="the network has no such head"):
        criterion()(forecast._replace(**{head: None}), batch)


def test_exposures_that_are_missing_are_told(batch, forecast):
    with pytest.raises(ValueError, match="no exposure_ column"):
        criterion()(forecast, batch._replace(exposures=torch.empty(10, 0)))


@pytest.mark.parametrize("weights", [{"pinball": -1.0}, {"pinball": 0.0, "ic": 0.0, "sharpe": 0.0}])
def test_weights_that_train_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="0 or more and one of them above"):
        LossWeights(**weights)


@pytest.mark.parametrize("horizon_weights", [(1.0,), (0.0, 0.0), (-1.0, 2.0)])
def test_horizon_weights_must_fit(horizon_weights):
    with pytest.raises(ValueError, match="one a horizon is needed"):
        criterion(horizon_weights=horizon_weights)
