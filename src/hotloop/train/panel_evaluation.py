"""Forecasts of the windows of a span, scored by day, in inference mode: what is kept of them cannot be trained on."""

import torch
from torch import nn

from hotloop.data.panel import DayBatches, PanelWindows
from hotloop.train.panel_metrics import HorizonMetrics, PanelMetrics
from hotloop.train.ranks import Ranks
from hotloop.train.strategies.panel import PanelForecasting


@torch.inference_mode()
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


@torch.inference_mode()
def panel_loss(
    model: nn.Module,
    strategy: PanelForecasting,
    windows: PanelWindows,
    *,
    device: torch.device,
    days_per_batch: int = 8,
    ranks: Ranks | None = None,
) -> float:
    """The mean loss over the windows, the model in eval mode; read once.

    With several `ranks` each takes a part of the days, and all get the mean over all of them.
    """
    ranks, was_training = ranks or Ranks(), model.training
    model.eval()
    sums = torch.zeros(2, device=device, dtype=torch.float64)
    for number, index in enumerate(DayBatches(windows, days_per_batch=days_per_batch, shuffle=False)):
        if number % ranks.size == ranks.rank:
            loss = strategy.loss(model, windows.batch(index).to(device))
            sums += torch.stack([loss.value.double() * len(index), sums.new_tensor(len(index))])
    model.train(was_training)
    total, count = ranks.sum(sums).tolist()
    return total / count
