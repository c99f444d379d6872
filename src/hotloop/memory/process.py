"""The process whose memory is followed: `python -P -m hotloop.memory.process FD STEPS`; STEPS steps warm it up."""

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NoReturn

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.diagnose.call_sites import CallSites
from hotloop.diagnose.module_hooks import hook_inputs
from hotloop.diagnose.phase_hooks import PhaseHooks
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.memory import MemoryProbe
from hotloop.diagnose.trace_context import TraceContext
from hotloop.memory.batch_growth import BatchGrowth, growth_with_the_batch
from hotloop.transform import Plan
from hotloop.worker.main import enter_scratch, inside, run_to_its_end, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workloads.started_plan import start


class MemoryRun:
    """Callbacks of a run whose memory is followed for one step; answers {"event": "watched", "memory": ...}."""

    def __init__(self, channel: Channel, context: TraceContext, *, steps: int) -> None:
        self._channel = channel
        self._context = context
        self._hooks = PhaseHooks(context)
        self._probe = MemoryProbe(context)
        self._warmup = steps
        self._steps = 0
        self._first_call: tuple[nn.Module, Any, Any] | None = None
        self._open = ExitStack()

    @contextmanager
    def installed(self) -> Generator[None]:
        """The hooks that stay for the whole run."""
        with self._hooks.installed():
            yield

    def before_training(self) -> None:
        """Nothing to wait for."""

    def loss(self, value: Tensor) -> None:
        """Losses are of no interest here."""

    def root(self, module: nn.Module) -> None:
        """A root whose memory is followed."""
        self._context.roots.append(module)
        self._hooks.follow(module)

    def step(self, optimizer: Optimizer) -> None:
        """A step ended: after the warmup one is followed, and then the process ends."""
        if self._context.is_forked:
            return
        self._steps += 1
        self._channel.send({"event": "stepped", "steps": self._steps})
        if self._steps == self._warmup:
            for root in self._context.roots:
                self._open.callback(hook_inputs(root, partial(self._called, root)))
            self._open.enter_context(self._probe.active())
        elif self._steps > self._warmup:
            self._probe.step()
            self.finish()

    def finish(self) -> NoReturn:
        """Send what was seen, and end the process."""
        if self._context.is_forked:
            os._exit(0)
        self._open.close()
        self._channel.send({"event": "watched", "memory": self._seen() if self._probe.steps else None})
        os._exit(0)

    def _seen(self) -> dict[str, Any]:
        growth = BatchGrowth(method="no module was called in the step")
        if self._first_call is not None:
            growth = growth_with_the_batch(*self._first_call)
        batch = {"batch": growth.batch, "bytes_per_sample": growth.bytes_per_sample, "method": growth.method}
        return {**self._probe.report(PhaseTimes()).data, **batch}

    def _called(self, root: nn.Module, args: Any, kwargs: Any) -> None:
        if self._first_call is None and not self._context.is_forked:
            self._first_call = (root, args, kwargs)


def _train(spec: WorkerSpec, channel: Channel) -> NoReturn:
    enter_scratch(spec, channel)
    run = MemoryRun(channel, TraceContext(call_sites=CallSites(spec.scratch)), steps=int(sys.argv[2]))
    with run.installed():
        run_to_its_end(inside(spec), start(Plan()), run)
        run.finish()


if __name__ == "__main__":
    serve(_train)
