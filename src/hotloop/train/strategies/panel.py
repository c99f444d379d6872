"""Forecasts of stocks by day: a panel network, its weighted loss, and autocast around the network alone."""

from typing import ClassVar

import torch
from torch import nn

from hotloop.data.panel.batch import PanelBatch
from hotloop.models.panel.day_neighbors import Days
from hotloop.models.panel.forecast import Forecast
from hotloop.models.panel.widened import widened
from hotloop.train.losses.panel_loss import PanelLoss
from hotloop.workload import Loss


class PanelForecasting:
    """The loss of a batch of days; its count is the number of samples, so that uneven batches weigh as they should.

    With `autocast` the network runs in that dtype; the loss is worked out in float32. `parts` reports each part.
    """

    name: ClassVar[str] = "panel"

    def __init__(self, criterion: PanelLoss, *, autocast: torch.dtype | None = None, parts: bool = False) -> None:
        self.criterion, self._autocast, self._parts = criterion, autocast, parts

    def loss(self, model: nn.Module, batch: PanelBatch) -> Loss:
        """The loss of one batch; nothing is read from the device."""
        value, parts = self.criterion(self.forecast(model, batch), batch)
        count = len(batch.features)
        if not self._parts:
            return Loss(value, count)
        return Loss(value, count, {name: part.detach() for name, part in parts.items()})

    def forecast(self, model: nn.Module, batch: PanelBatch) -> Forecast:
        """What the model says, in float32; in float64 where model and features are."""
        days = Days(batch.group, batch.place, batch.num_groups, batch.largest)
        if self._autocast is None:
            return model(widened(batch.features), days)
        with torch.autocast(batch.features.device.type, dtype=self._autocast):
            forecast: Forecast = model(batch.features, days)
        return forecast.float32()
