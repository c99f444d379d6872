"""The parts of a training step, timed one by one: forward, backward and update, the device waited for around each."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from hotloop.errors import WorkloadError

Part = Callable[[], None]


def wait_for_device() -> None:
    """Until everything on the GPU is done; nothing without one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(part: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> tuple[Any, float]:
    """What `part` returns, and its seconds."""
    wait_for_device()
    began = clock()
    found = part()
    wait_for_device()
    return found, clock() - began


def time_parts(
    forward: Callable[[Any], Tensor | None],
    batches: Iterable[Any],
    *,
    warmup: int,
    steps: int,
    after: Mapping[str, Part],
    on_step: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, tuple[float, ...]]:
    """Seconds of "forward", of "backward" where `forward` returns a loss, and of each part in `after`, by step.

    Batches are used in turn, again from the first where they end; the first `warmup` steps are thrown away.
    """
    found: dict[str, list[float]] = {}
    for batch in _some(batches, warmup + steps):
        loss, seconds = timed(lambda batch=batch: forward(batch), clock)
        found.setdefault("forward", []).append(seconds)
        if loss is not None:
            found.setdefault("backward", []).append(timed(loss.backward, clock)[1])
        for name, part in after.items():
            found.setdefault(name, []).append(timed(part, clock)[1])
        del loss
        on_step()
    return {name: tuple(samples[warmup:]) for name, samples in found.items()}


def _some(batches: Iterable[Any], count: int) -> Iterator[Any]:
    """So many batches, drawn before they are needed where an epoch is shorter."""
    first = [batch for _, batch in zip(range(min(count, 8)), batches, strict=False)]
    if not first:
        raise WorkloadError("the batches gave none; give a DataLoader or a list that holds at least one")
    yield from (batch for _, batch in zip(range(count), cycle(first), strict=False))
