"""A stock-panel network on made days: `hotloop tune panel`, some hundred ms a step on one core. Needs [panel]."""

import torch
from torch import Tensor

from hotloop.data.panel.batch import PanelBatch
from hotloop.models.atft_gat_fan import ATFTGATFAN, PanelNetworkOptions
from hotloop.train.losses.panel_loss import LossWeights, PanelLoss
from hotloop.train.strategies.panel import PanelForecasting
from hotloop.workload import Job

_DAYS, _STOCKS, _LENGTH, _FEATURES, _HORIZONS, _BATCHES = 2, 12, 20, 64, 2, 8
_SIGNAL = 0.3


def build(seed: int) -> Job:
    """8 batches of 2 days with 12 stocks each, 64 features over 20 steps, AdamW, norm clipped; the same for a seed.

    The first feature of the last step tells something of the targets.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    options = PanelNetworkOptions(hidden=32, horizons=_HORIZONS, neighbors=5)
    criterion = PanelLoss(
        LossWeights(),
        levels=options.levels,
        horizon_weights=(1.0, 0.6),
        scale_H=torch.ones(_HORIZONS),
        num_stocks=_STOCKS,
    )
    model = ATFTGATFAN(_FEATURES, _LENGTH, options)
    return Job(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
        batches=[_batch(number, generator) for number in range(_BATCHES)],
        strategy=PanelForecasting(criterion),
        clip_norm=1.0,
    )


def _batch(number: int, generator: torch.Generator) -> PanelBatch:
    samples = _DAYS * _STOCKS
    features = torch.randn(samples, _LENGTH, _FEATURES, generator=generator)
    noise: Tensor = torch.randn(samples, _HORIZONS, generator=generator)
    group, place = torch.arange(samples) // _STOCKS, torch.arange(samples) % _STOCKS
    return PanelBatch(
        features=features,
        targets=_SIGNAL * features[:, -1, :1] + (1.0 - _SIGNAL**2) ** 0.5 * noise,
        exposures=torch.empty(samples, 0),
        group=group,
        place=place,
        stock=place,
        day=group + number * _DAYS,
        num_groups=_DAYS,
        largest=_STOCKS,
    )
