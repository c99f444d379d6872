"""Where the time of one rank goes: its loader, its backward passes, and what it waits for other ranks."""

import functools
import importlib
import time
from collections.abc import Callable
from typing import Any


class RankClock:
    """Seconds since they were read last: in loaders, in backward passes, of CPU in those, and in collectives elsewhere.

    Backward is where DDP exchanges gradients, so that what passes there without using the CPU is waiting for others.
    Elsewhere it is the program that waits for a collective: FSDP gathers parameters, DDP sends buffers in forward, a
    script reduces a metric or stands at a barrier.
    """

    def __init__(self) -> None:
        self._seconds = {"loader": 0.0, "backward": 0.0, "backward_cpu": 0.0, "collectives": 0.0}
        self._is_inside = False  # a backward pass or a collective: what waits in there is counted there

    def start(self) -> None:
        """Patch torch for the rest of this process."""
        import torch
        import torch.distributed as dist
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
            was_inside, self._is_inside = self._is_inside, True
            try:
                backward(*args, **kwargs)
            finally:
                self._is_inside = was_inside
                self._seconds["backward"] += time.perf_counter() - began
                self._seconds["backward_cpu"] += time.process_time() - used

        timed_backward._torchdynamo_disable = True  # pyright: ignore[reportFunctionMemberAccess]
        kind.__next__ = timed_next
        torch.autograd.backward = timed_backward
        waiting: tuple[tuple[Any, str], ...] = (
            (dist.Work, "wait"),
            (dist, "_broadcast_coalesced"),
            (importlib.import_module("torch.distributed._functional_collectives"), "wait_tensor"),
        )
        for owner, name in waiting:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A call that waits for other ranks, timed where no other is under way."""

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside:
                return original(*args, **kwargs)
            began, self._is_inside = time.perf_counter(), True
            try:
                return original(*args, **kwargs)
            finally:
                self._is_inside = False
                self._seconds["collectives"] += time.perf_counter() - began

        timed._torchdynamo_disable = True  # pyright: ignore[reportAttributeAccessIssue]
        return timed

    def read(self) -> dict[str, float]:
        """The seconds so far, which begin anew."""
        found, self._seconds = self._seconds, dict.fromkeys(self._seconds, 0.0)
        return found
