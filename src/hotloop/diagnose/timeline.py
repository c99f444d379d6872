"""Labelled timestamps on the clock that matters, the host's or the GPU's own events, and the seconds between them."""

import itertools
import time
from typing import Any

import torch


class Timeline:
    """Timestamps, each with the label of what begins there."""

    def __init__(self) -> None:
        self._on_cuda = False
        self._timestamps: list[tuple[Any, Any]] = []

    def mark(self, label: Any) -> None:
        """`label` begins now."""
        if self._on_cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._timestamps.append((event, label))
        else:
            self._timestamps.append((time.perf_counter(), label))

    def spans(self) -> list[tuple[Any, float]]:
        """Each label with the seconds until the next one; the last one has no end and is left out."""
        pairs = itertools.pairwise(self._timestamps)
        if self._on_cuda:
            torch.cuda.synchronize()
            return [(a[1], a[0].elapsed_time(b[0]) / 1e3) for a, b in pairs]
        return [(a[1], b[0] - a[0]) for a, b in pairs]

    def restart(self, *, on_cuda: bool) -> None:
        """Forget all timestamps, and take the next ones from this clock."""
        self._on_cuda = on_cuda
        self._timestamps = []
