"""Forecasts of the windows of a span, scored by day."""

import torch
from torch import nn

from hotloop.data.panel import DayBatches, PanelWindows
from hotloop.train.panel_metrics import HorizonMetrics, PanelMetrics
from hotloop.train.strategies.panel import PanelForecasting


@torch.no_grad()
def evaluate_panel(
    model: nn.Module,
    strategy: PanelForecasting,
    windows: PanelWindows,
    *,
    horizons: tuple[int, ...],
    device: torch.device,
    days_per_batch: int = 8,
) -> dict[int, HorizonMetrics]:
    """The metrics of each horizon over every day of `windows`, each day whole, in order; the model in eval mode.

    Nothing is read from the device before the last day.
    """
    metrics, was_training = PanelMetrics(horizons), model.training
    model.eval()
    for index in DayBatches(windows, days_per_batch=days_per_batch, shuffle=False):
        batch = windows.batch(index).to(device)
        metrics.update(
            strategy.forecast(model, batch).quantiles * strategy.criterion.scale.unsqueeze(-1),
            batch.targets,
            group_N=batch.group,
            num_groups=batch.num_groups,
            day_N=batch.day,
        )
    model.train(was_training)
    return metrics.compute()


@torch.no_grad()
def panel_loss(
    model: nn.Module,
    strategy: PanelForecasting,
    windows: PanelWindows,
    *,
    device: torch.device,
    days_per_batch: int = 8,
) -> float:
    """The mean loss over the windows, the model in eval mode; read once."""
    was_training = model.training
    model.eval()
    total, count = torch.zeros((), device=device), 0
    for index in DayBatches(windows, days_per_batch=days_per_batch, shuffle=False):
        loss = strategy.loss(model, windows.batch(index).to(device))
        total += loss.value * loss.count
        count += len(index)
    model.train(was_training)
    return float(total) / count
