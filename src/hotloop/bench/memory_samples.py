"""Memory in use over a while, looked at every few milliseconds by a thread of its own."""

import statistics
import threading
from types import TracebackType

import psutil
import torch

_PERIOD = 0.002


class MemorySamples:
    """Bytes that this process holds, or that torch has allocated on the GPU where there is one; a context manager."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self._process = psutil.Process()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "MemorySamples":
        self.samples.append(self._now())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
        self.samples.append(self._now())

    @property
    def mean(self) -> int:
        """Mean of all samples so far."""
        return round(statistics.fmean(self.samples))

    def _run(self) -> None:
        while not self._is_over.wait(_PERIOD):
            self.samples.append(self._now())

    def _now(self) -> int:
        return torch.cuda.memory_allocated() if torch.cuda.is_available() else self._process.memory_info().rss
