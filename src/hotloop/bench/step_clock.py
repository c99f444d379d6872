"""The steps of one process of `hotloop bench`: warmup, timed steps, steps whose memory is looked at, and the rest."""

import os
import time
from collections.abc import Callable
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.bench.memory_samples import MemorySamples
from hotloop.machine.memory import tree_memory
from hotloop.worker.losses import Losses
from hotloop.workloads.started_plan import StartedPlan

_LEAST_SECONDS, _MOST_STEPS = 0.3, 2000  # a fast step is timed more often, so that one interruption weighs little
_SAMPLED_STEPS = 10
_HEARTBEAT = 0.5


class StepClock:
    """Callbacks that read the clocks at the end of each step and call `on_end` after the last; `beat` now and then.

    Without a GPU steps are timed by `clock`; seconds since the start are wall time.
    """

    def __init__(
        self,
        started: StartedPlan,
        *,
        warmup: int,
        steps: int,
        converge: int,
        clock: Callable[[], float],
        beat: Callable[[int], None],
        on_end: Callable[[], None],
    ) -> None:
        self._started = started
        self._warmup, self._asked, self._converge = warmup, steps, converge
        self._clock, self._beat, self._on_end = clock, beat, on_end
        self._ready: float | None = None
        self._losses = Losses()
        self._ends: list[float] = []
        self._read_times: list[float] = []
        self._marks: list[Any] = []
        self._timed_until = 0
        self._memory = MemorySamples()
        self._mean_memory = 0
        self._peak_memory = 0
        self._told = 0.0
        self._cuda = torch.cuda.is_available()

    @property
    def steps(self) -> int:
        """Steps that have ended."""
        return max(0, len(self._ends) - 1)

    def before_training(self) -> None:
        """The first optimizer is about to be built: the program is loaded, and its first step begins."""
        if self._ready is None:
            self._ready = time.time()
            self.begin()

    def begin(self) -> None:
        """The next step is the first, and starts now."""
        self._ends, self._read_times, self._marks = [], [], []
        self._losses.clear()
        self._read()

    def loss(self, value: Tensor) -> None:
        """Keep the loss of the step under way."""
        self._losses.keep(self.steps + 1, value)

    def root(self, module: nn.Module) -> None:
        """Nothing."""

    def step(self, optimizer: Optimizer) -> None:
        """A step ended."""
        self._read()
        now = self._ends[-1]
        if now - self._told > _HEARTBEAT:
            self._told = now
            self._beat(self.steps)
        if not self._timed_until:
            self._end_timing(now)
        elif self.steps == self._timed_until + _SAMPLED_STEPS:
            self._end_sampling()
        if self._mean_memory and self.steps >= self._converge:
            self._on_end()

    def _end_timing(self, now: float) -> None:
        timed = self.steps - self._warmup
        if timed < self._asked:
            return
        if now - self._ends[self._warmup] >= _LEAST_SECONDS or timed >= _MOST_STEPS:
            self._timed_until = self.steps
            self._memory.__enter__()

    def _end_sampling(self) -> None:
        self._memory.__exit__(None, None, None)
        self._mean_memory = self._memory.mean
        self._peak_memory = torch.cuda.max_memory_allocated() if self._cuda else tree_memory(os.getpid())

    def _read(self) -> None:
        self._ends.append(time.perf_counter())
        self._read_times.append(self._clock())
        if self._cuda:
            mark = torch.cuda.Event(enable_timing=True)
            mark.record()
            self._marks.append(mark)

    def report(self) -> dict[str, Any]:
        """All samples; a program that ended before its steps were timed has an empty `step`."""
        if self._timed_until and not self._mean_memory:
            self._end_sampling()
        seconds = self._seconds()
        until = self._timed_until or self.steps
        ready = self._ready or time.time()
        return {
            "step": seconds[self._warmup : until],
            "first_steps": seconds[: self._warmup],
            "wall": [end - self._ends[0] for end in self._ends[1:]],
            "losses": self._losses.by_step(self.steps),
            "ready_seconds": ready - psutil.Process().create_time(),
            "peak_memory": self._peak_memory or tree_memory(os.getpid()),
            "mean_memory": self._mean_memory,
            "not_applied": self._started.not_applied(),
        }

    def _seconds(self) -> list[float]:
        if self._cuda:
            torch.cuda.synchronize()
            return [a.elapsed_time(b) / 1e3 for a, b in zip(self._marks, self._marks[1:], strict=False)]
        return [b - a for a, b in zip(self._read_times, self._read_times[1:], strict=False)]
