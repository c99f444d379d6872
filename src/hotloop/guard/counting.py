"""The process that counts: `python -P -m hotloop.guard.counting FD STEPS`, a run of a program that is never timed.

The first STEPS steps run as the program has them, but for a listener for recompiles, and their instructions are counted
where the machine can; then come a few steps under the
modes that see host reads, a few under one that counts operators, and one that follows the memory of tensors. The number
of each is fixed, so that two runs of one program count the same.
"""

import os
import statistics
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.diagnose import dynamo
from hotloop.diagnose.call_sites import CallSites, SourceLine
from hotloop.diagnose.dispatch_observer import DispatchObserver
from hotloop.diagnose.distinct_reads import DistinctReads
from hotloop.diagnose.phase_hooks import PhaseHooks
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probes.memory import MemoryProbe
from hotloop.diagnose.read_modes import ReadModes, SeenRead
from hotloop.diagnose.trace_context import TraceContext
from hotloop.errors import MeasurementError
from hotloop.machine.perf_counter import PerfCounter
from hotloop.transform import Plan
from hotloop.worker.main import enter_scratch, inside, run_to_its_end, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workloads.started_plan import start

READ_STEPS, OPERATOR_STEPS, MEMORY_STEPS = 20, 3, 1


class CountingRun:
    """Callbacks of a run that counts; answers {"event": "watched", "counts": ...} after its last step."""

    def __init__(self, channel: Channel, context: TraceContext, *, steps: int) -> None:
        self._channel = channel
        self._context = context
        self._hooks = PhaseHooks(context)
        self._steps = 0
        self._recompiles: list[tuple[SourceLine, str]] = []
        self._reads: Counter[tuple[SourceLine, str]] = Counter()
        self._operators: Counter[str] = Counter()
        self._distinct = DistinctReads()
        self._memory = MemoryProbe(context)
        self._modes = ReadModes(context, self._read)
        self._compiled: dict[str, Any] = {}
        self._open = ExitStack()
        read, operators = steps + READ_STEPS, steps + READ_STEPS + OPERATOR_STEPS
        self._windows = {steps: self._modes.active, read: self._counting, operators: self._memory.active}
        self._last = operators + MEMORY_STEPS
        self._plain = steps
        self._instructions = StepInstructions()

    @contextmanager
    def installed(self) -> Generator[None]:
        """The hooks that stay for the whole run."""
        with self._hooks.installed(), dynamo.listening_for_recompiles(self._context.call_sites, self._recompiled):
            yield

    def before_training(self) -> None:
        """Nothing to wait for."""

    def loss(self, value: Tensor) -> None:
        """Losses are compared by runs of their own, which set the seeds."""

    def root(self, module: nn.Module) -> None:
        """A root whose memory is followed."""
        self._context.roots.append(module)
        self._hooks.follow(module)

    def step(self, optimizer: Optimizer) -> None:
        """A step ended: the next window may open, and after the last one the process ends."""
        if self._context.is_forked:
            return
        self._steps += 1
        if self._steps <= self._plain:
            self._instructions.step()
        self._modes.operations.clear()
        if self._steps in self._windows:
            self._open.close()
            self._note_compiled()
            self._open.enter_context(self._windows[self._steps]())
        if self._steps == self._last:
            self.finish()
        self._channel.send({"event": "stepped", "steps": self._steps})

    def finish(self) -> NoReturn:
        """Send what was counted, and end the process."""
        if self._context.is_forked:
            os._exit(0)
        self._open.close()
        self._note_compiled()
        self._channel.send({"event": "watched", "counts": self._counts()})
        os._exit(0)

    def _note_compiled(self) -> None:
        """What Dynamo had done before the modes came, which fail the guards of compiled code."""
        if self._compiled:
            return
        breaks = dynamo.graph_breaks(self._context.call_sites)
        self._compiled = {
            "graphs": dynamo.num_graphs(),
            "compile_seconds": dynamo.compile_seconds(),
            "graph_breaks": [[*at, reason] for at, reason in breaks],
            "recompiles": [[*at, guard] for at, guard in self._recompiles],
        }
        if dynamo.num_graphs():
            torch.compiler.set_stance("eager_on_recompile")

    def _counts(self) -> dict[str, Any]:
        seen = min(max(0, self._steps - self._plain), READ_STEPS)
        return {
            **self._compiled,
            **self._instructions.data(),
            "steps": min(self._steps, self._plain),
            "read_steps": seen,
            "reads": [[*at, kind, count] for (at, kind), count in sorted(self._reads.items())],
            "operator_steps": min(max(0, self._steps - self._plain - READ_STEPS), OPERATOR_STEPS),
            "operators": dict(sorted(self._operators.items())),
            "memory": self._memory.report(PhaseTimes()).data if self._steps >= self._last else {},
            "files": sorted({file for file in map(_file, list(sys.modules.values())) if file}),
        }

    def _recompiled(self, at: SourceLine, guard: str) -> None:
        if not self._compiled:
            self._recompiles.append((at, guard))

    def _read(self, read: SeenRead) -> None:
        if self._distinct.counts(read):
            self._reads[read.site.source, read.kind] += 1

    def _counting(self) -> DispatchObserver:
        return DispatchObserver(self._context, self._count)

    def _count(self, func: Any, _args: Any, _kwargs: Any, _result: Any, _seconds: float) -> None:
        name = str(getattr(func, "overloadpacket", func)).removeprefix("aten.")
        if not self._context.fetch_depth and not name.startswith("profiler."):
            self._operators[name] += 1


class StepInstructions:
    """The instructions of user code between the ends of steps."""

    def __init__(self) -> None:
        self._missing, self._counter = "fewer than two steps were made", None
        self._counted: list[int] = []
        try:
            self._counter = PerfCounter()
        except MeasurementError as error:
            self._missing = str(error)

    def step(self) -> None:
        """A step ended."""
        if self._counter is not None:
            self._counted.append(self._counter.read())

    def data(self) -> dict[str, Any]:
        """The median of the later half, in which what is made once has been made; or why there is none."""
        steps = [after - before for before, after in pairwise(self._counted)]
        if not steps:
            return {"instructions": None, "no_instructions": self._missing}
        return {"instructions": statistics.median(steps[len(steps) // 2 :]), "no_instructions": ""}


def _file(module: Any) -> str:
    """The source file of a module outside of what is installed; empty for all others."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return ""
    is_installed = any(part in ("site-packages", "dist-packages") for part in Path(file).parts)
    return "" if is_installed or file.startswith((sys.base_prefix, sys.prefix)) else file


def _train(spec: WorkerSpec, channel: Channel) -> NoReturn:
    enter_scratch(spec, channel)
    run = CountingRun(channel, TraceContext(call_sites=CallSites(spec.scratch)), steps=int(sys.argv[2]))
    with run.installed():
        run_to_its_end(inside(spec), start(Plan()), run)
        run.finish()


if __name__ == "__main__":
    serve(_train)
