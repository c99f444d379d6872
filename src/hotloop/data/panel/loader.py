"""DataLoaders over the windows of a store."""

from typing import Any

import torch
from torch.utils.data import DataLoader

from hotloop.data.panel.batch import PanelBatch
from hotloop.data.panel.day_batches import DayBatches
from hotloop.data.panel.windows import PanelWindows


def panel_loader(
    windows: PanelWindows, batches: DayBatches, *, num_workers: int = 0, device: torch.device | str = "cpu"
) -> "DataLoader[PanelBatch]":
    """A loader of whole batches; workers stay alive between epochs, memory is pinned for a GPU.

    Without workers a batch is one copy from the mapped store, which is mostly faster on the machine itself; workers
    help where the store lies on a slow disk, or where a GPU waits for the copy.
    """
    more: dict[str, Any] = {"persistent_workers": True, "prefetch_factor": 2} if num_workers else {}
    dataset: Any = windows  # a set of samples, whose batches are made at once
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_as_is,
        num_workers=num_workers,
        pin_memory=torch.device(device).type == "cuda",
        **more,
    )


def _as_is(batch: Any) -> Any:
    return batch
