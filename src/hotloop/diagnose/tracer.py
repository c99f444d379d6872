"""The tracer: follows a program from step to step, and sends what its probes have seen."""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.diagnose.probe import Probe
from hotloop.diagnose.summary import summarize
from hotloop.diagnose.trace_context import TraceContext
from hotloop.diagnose.window_schedule import WindowSchedule
from hotloop.worker.losses import Losses
from hotloop.worker.spec import Channel

_HEARTBEAT = 0.5


class Tracer:
    """Events of a diagnosed worker; answers {"event": "watched", ...} after the last window or at the program's end."""

    def __init__(
        self, channel: Channel, context: TraceContext, probes: Sequence[Probe], *, steps: int, budget: float
    ) -> None:
        self._channel = channel
        self._context = context
        self._probes = probes
        self._always = [probe for probe in probes if probe.window is None]
        self._schedule = WindowSchedule(probes, timed_steps=steps, budget=budget)
        self._losses = Losses()
        self._steps = 0
        self._told = 0.0
        self._ready: float | None = None

    @contextmanager
    def installed(self) -> Generator[None]:
        """The hooks of all probes that stay for the whole run."""
        with ExitStack() as stack:
            for probe in self._probes:
                stack.enter_context(probe.installed())
            yield

    def before_training(self) -> None:
        """The program has set itself up."""
        if self._ready is None:
            self._ready = time.time()

    def loss(self, value: Tensor) -> None:
        """Keep the loss of the step under way."""
        self._losses.keep(self._steps + 1, value)

    def root(self, module: nn.Module) -> None:
        """Tell the probes of a root before its first call."""
        self._context.roots.append(module)
        for probe in self._probes:
            probe.root(module)

    def step(self, optimizer: Optimizer) -> None:
        """A step ended; the program ends with the last window."""
        if self._context.is_forked:
            return
        self._steps += 1
        for probe in self._always:
            probe.step()
        if not self._schedule.step():
            self.finish()
        now = time.perf_counter()
        if now - self._told > _HEARTBEAT:
            self._told = now
            self._channel.send({"event": "stepped", "steps": self._steps})

    def finish(self) -> NoReturn:
        """Send what was seen and end the process."""
        if self._context.is_forked:
            os._exit(0)
        self._schedule.close()
        self._channel.send({"event": "watched", "diagnosis": self._diagnosis()})
        os._exit(0)

    def _diagnosis(self) -> dict[str, Any]:
        times = self._context.times
        left = ", ".join(self._schedule.waiting)
        return summarize(
            times,
            {probe.name: probe.report(times) for probe in (*self._schedule.done, *self._always)},
            losses=self._losses.by_step(self._steps),
            ready=self._ready or time.time(),
            notes=[f"the program ended before its steps were seen by: {left}; train longer"] if left else [],
        )
