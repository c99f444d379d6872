from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from hotloop.train.losses.day_groups import DayGroups

SIZES = (5, 1, 9, 2, 1, 14)
Grouped = Callable[[Tensor, Tensor, Tensor], Tensor]


@pytest.fixture
def panel() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Forecast and target (N, 2) in float64, which of the targets are known, and the day of each sample."""
    generator = torch.Generator().manual_seed(3)
    total = sum(SIZES)
    point, target = torch.randn(2, total, 2, generator=generator, dtype=torch.float64)
    valid = torch.rand(total, 2, generator=generator) > 0.15
    group = torch.repeat_interleave(torch.arange(len(SIZES)), torch.tensor(SIZES))
    return point, target, valid, group


@pytest.fixture
def days(panel: tuple[Tensor, ...]) -> DayGroups:
    """The days of that panel."""
    return DayGroups(panel[3], len(SIZES), panel[2], largest=max(SIZES))


@pytest.fixture
def by_day(panel: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """The mean over days, found one by one, of a loss of one day and horizon; days with fewer than 2 are left out."""

    def loop(loss: Callable[..., Tensor], *values: Tensor) -> Tensor:
        _, _, valid, group = panel
        horizons: list[Tensor] = []
        for horizon in range(valid.shape[1]):
            found: list[Tensor] = []
            for day in group.unique().tolist():
                mine = (group == day) & valid[:, horizon]
                if mine.sum() >= 2:
                    found.append(loss(*(value[mine][:, horizon] for value in values)))
            horizons.append(torch.stack(found).mean())
        return torch.stack(horizons)

    return loop
