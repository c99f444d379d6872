"""Moments on the clock that matters: the host's, or the GPU's own events; seconds between them are read at the end."""

import itertools
import time
from typing import Any

import torch


class Marks:
    """A list of moments, each with the label of what begins there."""

    def __init__(self) -> None:
        self.on_cuda = False
        self._moments: list[tuple[Any, Any]] = []

    def add(self, label: Any) -> None:
        """From now on it is `label`."""
        if self.on_cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._moments.append((event, label))
        else:
            self._moments.append((time.perf_counter(), label))

    def spans(self) -> list[tuple[Any, float]]:
        """Each label with the seconds until the next one; the last one has no end and is left out."""
        moments = self._moments
        if self.on_cuda:
            torch.cuda.synchronize()
            return [(a[1], a[0].elapsed_time(b[0]) / 1e3) for a, b in itertools.pairwise(moments)]
        return [(a[1], b[0] - a[0]) for a, b in itertools.pairwise(moments)]

    def clear(self, *, on_cuda: bool) -> None:
        """Forget all moments, and take the next ones from this clock."""
        self.on_cuda = on_cuda
        self._moments = []
