"""Where the time of one rank goes: its loader, its backward passes, and in those the wait for other ranks."""

import time
from typing import Any


class RankClock:
    """Seconds since they were read last: in loaders, in backward passes, and of CPU in those.

    Backward is where DDP exchanges gradients, so that what passes there without using the CPU is waiting for others.
    """

    def __init__(self) -> None:
        self._seconds = {"loader": 0.0, "backward": 0.0, "backward_cpu": 0.0}

    def start(self) -> None:
        """Patch torch for the rest of this process."""
        import torch
        from torch.utils.data import dataloader

        kind: Any = dataloader._BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]
        following, backward = kind.__next__, torch.autograd.backward

        def timed_next(iterator: Any) -> Any:
            began = time.perf_counter()
            try:
                return following(iterator)
            finally:
                self._seconds["loader"] += time.perf_counter() - began

        def timed_backward(*args: Any, **kwargs: Any) -> None:
            began, used = time.perf_counter(), time.process_time()
            try:
                backward(*args, **kwargs)
            finally:
                self._seconds["backward"] += time.perf_counter() - began
                self._seconds["backward_cpu"] += time.process_time() - used

        timed_backward._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
        kind.__next__ = timed_next
        torch.autograd.backward = timed_backward

    def read(self) -> dict[str, float]:
        """The seconds so far, which begin anew."""
        found, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        return found
