"""A few steps under torch.profiler: a chrome trace in a file, and the operators that take the most time."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.profiler import ProfilerActivity, profile

from hotloop.workloads.hooks import Callbacks

_TRACED_STEPS = 5
_MOST_OPERATORS = 15


class _Profiled:
    """Callbacks that start the profiler when `after` steps are through and write what it saw some steps later."""

    def __init__(self, file: Path, inner: Callbacks, *, after: int) -> None:
        self._file, self._inner = file, inner
        self._left = after
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
        self._profile: Any = profile(activities=activities)
        self._is_running = False

    def before_training(self) -> None:
        self._inner.before_training()

    def loss(self, value: Tensor) -> None:
        self._inner.loss(value)

    def root(self, module: nn.Module) -> None:
        self._inner.root(module)

    def step(self, optimizer: Optimizer) -> None:
        self._left -= 1
        if not self._left and not self._is_running:
            self._is_running = True
            self._left = _TRACED_STEPS
            self._profile.start()
        elif not self._left:
            self._profile.stop()
            self._write()
        self._inner.step(optimizer)

    def _write(self) -> None:
        self._profile.export_chrome_trace(str(self._file))
        self._file.with_suffix(".operators").write_text(json.dumps(_operators(self._profile)), encoding="utf-8")


def traced(file: str, inner: Callbacks, *, after: int) -> Callbacks:
    """`inner`, under the profiler where a `file` is named; beside it comes to lie `.operators`, JSON of the busiest."""
    return _Profiled(Path(file), inner, after=after) if file else inner


def _operators(seen: Any) -> list[dict[str, Any]]:
    """Name, calls, seconds of its own and share of all; the GPU's time where it worked."""
    events = seen.key_averages()
    own = [
        (event, (event.self_device_time_total or 0.0) if _has_device(events) else event.self_cpu_time_total)
        for event in events
    ]
    total = sum(time for _, time in own) or 1.0
    busiest = sorted(own, key=lambda pair: -pair[1])[:_MOST_OPERATORS]
    return [
        {
            "name": event.key,
            "calls": event.count / _TRACED_STEPS,
            "seconds": time / 1e6 / _TRACED_STEPS,
            "share": time / total,
        }
        for event, time in busiest
        if time > 0
    ]


def _has_device(events: Any) -> bool:
    return any((event.self_device_time_total or 0.0) > 0 for event in events)
