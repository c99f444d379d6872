"""The step of bench_step as a recipe, so that hotloop tunes it: `hotloop tune benchmarks/panel/step_recipe.py:build`.

F = 437, H = 64, 16 windows of 20 days, one day; AdamW.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hotloop.models.atft_gat_fan import ATFTGATFAN, PanelNetworkOptions
from hotloop.models.panel.day_neighbors import Days
from hotloop.workload import Job, Loss

FEATURES, SAMPLES, LENGTH = 437, 16, 20


@dataclass(frozen=True)
class SmallQuantiles:
    """The mean square of all quantiles."""

    def loss(self, model: nn.Module, batch: tuple[Tensor, Days]) -> Loss:
        return Loss(model(*batch).quantiles.square().mean(), SAMPLES)


def build(seed: int = 0) -> Job:
    """One batch of random windows, over and over; nothing is dropped."""
    torch.manual_seed(seed)
    model = ATFTGATFAN(FEATURES, LENGTH, PanelNetworkOptions(hidden=64, dropout=0.0, edge_dropout=0.0))
    numbers = torch.arange(SAMPLES)
    batch = (torch.randn(SAMPLES, LENGTH, FEATURES), Days(numbers * 0, numbers, 1, SAMPLES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    return Job(model=model, optimizer=optimizer, batches=[batch] * 64, strategy=SmallQuantiles())
