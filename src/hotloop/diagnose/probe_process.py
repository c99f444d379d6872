"""The worker that is looked at: `python -P -m hotloop.diagnose.probe_process FD STEPS SECONDS`.

The program runs untouched and never waits. At the ends of its steps one window after another opens: a warm-up, the
timed steps, then a few steps under each spy. What is timed is never spied on, and what is spied on is never timed.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import psutil
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.diagnose.call_sites import Places
from hotloop.diagnose.diagnosis import by_gain, finding_data
from hotloop.diagnose.loader_workers import Workers
from hotloop.diagnose.phase_times import OUTSIDE, PHASES
from hotloop.diagnose.probes.batches import Batches
from hotloop.diagnose.probes.compile import Compiling
from hotloop.diagnose.probes.gradients import Gradients
from hotloop.diagnose.probes.housekeeping import Housekeeping
from hotloop.diagnose.probes.loading import Loading
from hotloop.diagnose.probes.memory import Memory
from hotloop.diagnose.probes.modules import Modules
from hotloop.diagnose.probes.operators import Operators
from hotloop.diagnose.probes.phases import Phases
from hotloop.diagnose.probes.reads import Reads
from hotloop.diagnose.probes.trace import SyncWarnings, Trace
from hotloop.diagnose.probes.transfers import Transfers
from hotloop.diagnose.probes.unused import Unused
from hotloop.diagnose.trace_context import Report, Scene, Spy, StepTime
from hotloop.finding import Finding
from hotloop.transform import Plan
from hotloop.worker.losses import Losses
from hotloop.worker.main import enter_scratch, inside, run_to_its_end, serve
from hotloop.worker.spec import Channel, WorkerSpec
from hotloop.workloads.started_plan import start

_WARMUP = 3
_HEARTBEAT = 0.5
_SPIED = 5


@dataclass(frozen=True, kw_only=True)
class Window:
    """Steps under some spies: at most `steps`, more where they do not last `least` seconds, fewer after `most`."""

    spies: tuple[Spy, ...]
    steps: int
    least: float = 0.0
    most: float = 10.0

    def is_over(self, steps: int, seconds: float) -> bool:
        """Whether a window that has had so many steps closes."""
        return seconds >= self.most or (steps >= self.steps and seconds >= self.least)


class Spying:
    """Events of a diagnosed worker; answers {"event": "watched", ...} after the last window or at the program's end."""

    def __init__(self, channel: Channel, scene: Scene, *, steps: int, seconds: float) -> None:
        self.scene = scene
        self.phases = Phases(scene)
        self.compiling = Compiling(scene)
        self.workers = Workers(scene)
        self._channel = channel
        self._unused = Unused(scene, self.phases)
        self._windows = list(self._schedule(steps, seconds))
        self._current: Window | None = None
        self._done: list[Window] = []
        self._notes: list[str] = []
        self._losses = Losses()
        self._steps = 0
        self._in_window = 0
        self._opened = 0.0
        self._told = 0.0
        self._ready: float | None = None

    def before_training(self) -> None:
        """The program has set itself up."""
        if self._ready is None:
            self._ready = time.time()

    def loss(self, value: Tensor) -> None:
        """Keep the loss of the step under way."""
        self._losses.keep(self._steps + 1, value)

    def root(self, module: nn.Module) -> None:
        """Follow a root from before its first call."""
        self.scene.roots.append(module)
        self.phases.root(module)

    def step(self, optimizer: Optimizer) -> None:
        """A step ended: close the window whose time is over, open the next."""
        if self.scene.is_forked:
            return
        now = time.perf_counter()
        self._steps += 1
        if self._steps == 1:
            self._opened = now
        elif self._current is not None:
            self._in_window += 1
            for spy in self._current.spies:
                spy.step()
            if self._current.is_over(self._in_window, now - self._opened):
                self._close(self._current)
        if self._current is None:
            self._open_next()
        if now - self._told > _HEARTBEAT:
            self._told = now
            self._channel.send({"event": "stepped", "steps": self._steps})

    def finish(self) -> NoReturn:
        """Send what was seen and end the process."""
        if self.scene.is_forked:
            os._exit(0)
        if self._current is not None and self._in_window:
            self._close(self._current)
        left = [spy.name for window in self._windows for spy in window.spies]
        if left:
            self._notes.append(f"the program ended before its steps were seen by: {', '.join(left)}; train longer")
        self._channel.send({"event": "watched", "diagnosis": self._diagnosis()})
        os._exit(0)

    def _schedule(self, steps: int, seconds: float) -> Sequence[Window]:
        """Shares of the time: timing gets the most, since all else is weighed by it."""
        scene = self.scene
        spied = min(_SPIED, steps)
        return (
            Window(spies=(), steps=_WARMUP, most=0.3 * seconds),
            Window(spies=(self.phases, self.compiling), steps=steps, least=0.05 * seconds, most=0.3 * seconds),
            Window(spies=(Modules(scene),), steps=2 * spied, most=0.1 * seconds),
            Window(spies=(Reads(scene),), steps=2 * spied, most=0.1 * seconds),
            Window(spies=(Operators(scene),), steps=spied, most=0.1 * seconds),
            Window(spies=(Housekeeping(scene), Batches(scene, self.phases)), steps=2 * spied, most=0.05 * seconds),
            Window(spies=(Transfers(scene),), steps=2 * spied, most=0.05 * seconds),
            Window(
                spies=(Loading(scene, self.phases, self.workers),),
                steps=steps,
                least=0.05 * seconds,
                most=0.1 * seconds,
            ),
            Window(spies=(Memory(scene),), steps=1, most=0.05 * seconds),
            Window(spies=(Gradients(scene),), steps=spied, most=0.05 * seconds),
            Window(spies=(Trace(scene),), steps=spied, most=0.05 * seconds),
            Window(spies=(SyncWarnings(scene),), steps=spied, most=0.05 * seconds),
        )

    def _open_next(self) -> None:
        while self._windows:
            window = self._windows.pop(0)
            window = replace(window, spies=tuple(spy for spy in window.spies if spy.is_wanted()))
            if window.spies or not self._done:  # the warm-up has none
                if len(self._done) == 2 and self.compiling.is_used:
                    self._settle_compiler()
                for spy in window.spies:
                    spy.open()
                self._current, self._in_window, self._opened = window, 0, time.perf_counter()
                return
        self.finish()

    def _close(self, window: Window) -> None:
        for spy in reversed(window.spies):
            spy.close()
        self._done.append(window)
        self._current = None

    def _settle_compiler(self) -> None:
        """A spy's mode fails the guards of compiled code: then it runs eagerly, and is not compiled for the spy."""
        torch.compiler.set_stance("eager_on_recompile")
        self._notes.append("the program compiles: under spies that its guards reject, compiled code ran eagerly")

    def _diagnosis(self) -> dict[str, Any]:
        split = self.phases.split
        step = StepTime(seconds=split.seconds, shares=split.shares)
        reports: dict[str, Report] = {}
        for window in self._done:
            for spy in window.spies:
                reports[spy.name] = spy.report(step)
        reports["unused"] = self._unused.report(self._steps)
        findings: list[Finding] = [found for report in reports.values() for found in report.findings]
        seen = {name: report.data for name, report in reports.items() if report.data is not None}
        _move_copies(split.step, split.seconds, seen.get("trace"))
        return {
            "step_seconds": split.seconds,
            "steps": split.steps,
            "phases": {name: _phase(split.step, name) for name in {**dict.fromkeys(PHASES), **split.step}},
            "outside": self._outside(),
            "share_by_phase": split.share_by_phase,
            "findings": [finding_data(finding) for finding in by_gain(findings)],
            "modules": seen.pop("modules", []),
            "seen": seen,
            "losses": [_number(value) for value in self._losses.by_step(self._steps)],
            "notes": [*self._notes, *(note for report in reports.values() for note in report.notes)],
        }

    def _outside(self) -> dict[str, dict[str, float]]:
        split = self.phases.split
        whole = sum(split.all.values())
        outside = {
            name: {"seconds": split.all[name] * split.steps, "share": split.all[name] / whole}
            for name in OUTSIDE
            if split.all.get(name)
        }
        ready = self._ready or time.time()
        return {**outside, "start_up": {"seconds": max(0.0, ready - psutil.Process().create_time())}}


def _move_copies(step: dict[str, float], seconds: float, trace: Any) -> None:
    """Copies to the device show in the profiler's trace alone; hooks see them as other."""
    if trace and (copying := min(trace["host_to_device_share"] * seconds, step.get("other", 0.0))):
        step["host_to_device"] = step.get("host_to_device", 0.0) + copying
        step["other"] -= copying


def _phase(step: dict[str, float], name: str) -> dict[str, float]:
    whole = sum(step.values())
    seconds = step.get(name, 0.0)
    return {"ms": 1e3 * seconds, "share": seconds / whole if whole else 0.0}


def _number(value: float | None) -> float | None:
    return value if value is not None and value - value == 0.0 else None


def _train(order: WorkerSpec, channel: Channel) -> int:
    enter_scratch(order, channel)
    scene = Scene(places=Places(order.scratch))
    spying = Spying(channel, scene, steps=int(sys.argv[2]), seconds=float(sys.argv[3]))
    with spying.phases.installed(), spying.compiling.installed(), spying.workers.installed():
        run_to_its_end(inside(order), start(Plan()), spying)
        spying.finish()


if __name__ == "__main__":
    serve(_train)
