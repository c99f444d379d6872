"""Batches of a panel for the training loop: an epoch a pass, on the device."""

from collections.abc import Iterator

import torch

from hotloop.data.panel import DayBatches, PanelBatch, PanelWindows, panel_loader
from hotloop.train.stopwatch import NoStopwatch, Stopwatch


class PanelBatches:
    """What `days` draws from `windows`, through a loader with `num_workers`; each pass is the next epoch."""

    def __init__(
        self,
        windows: PanelWindows,
        days: DayBatches,
        *,
        device: torch.device,
        num_workers: int = 0,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._days, self._device = days, device
        self._loader = panel_loader(windows, days, num_workers=num_workers, device=device)
        self._mark = (stopwatch or NoStopwatch()).mark
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._days)

    def skip(self, epochs: int) -> None:
        """Go on as after so many epochs."""
        self._epoch += epochs

    def __iter__(self) -> Iterator[PanelBatch]:
        self._days.set_epoch(self._epoch)
        self._epoch += 1
        self._mark("other")
        for batch in self._loader:
            moved = batch.to(self._device)
            self._mark("load")
            yield moved
            self._mark("other")
