"""The worker's side of taking turns: runs a given number of steps, then waits for the next message."""

import importlib
import itertools
import os
import threading
import time
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from hotloop.worker.losses import Losses
from hotloop.worker.spec import Channel
from hotloop.workloads.started_plan import StartedPlan


class Turns:
    """Callbacks of a timed worker: clocks at the end of each step, losses kept on the device until the turn ends."""

    def __init__(self, channel: Channel, started: StartedPlan) -> None:
        self._channel = channel
        self._started_plan = started
        self._left = 0
        self._until = 0.0
        self._ready_seconds = 0.0
        self._steps = 0
        self._has_passed_barrier = False
        self._is_forked = False
        self._roots = 0
        self._losses = Losses()
        self._optimizers: set[str] = set()
        self._process = psutil.Process()
        self._cuda = torch.cuda.is_available()
        self._wall: list[float] = []
        self._cpu: list[float] = []
        self._marks: list[Any] = []
        self._children = 0.0
        self._begin()
        os.register_at_fork(after_in_child=self._leave)

    @property
    def steps(self) -> int:
        """All steps so far, those of the turn under way too."""
        return self._steps + len(self._wall) - 1

    def before_training(self) -> None:
        """Wait at the start barrier: start-up runs beside other workers, steps never do."""
        if not self._has_passed_barrier and not self._is_forked:
            self._has_passed_barrier = True
            self._ready_seconds = time.time() - self._process.create_time()
            importlib.import_module("torch._dynamo")  # an optimizer imports it anyway; here others start meanwhile

            self._channel.send({"event": "barrier"})
            self._wait()

    def loss(self, value: Tensor) -> None:
        """Keep the loss; it is read when the turn ends."""
        self._losses.keep(len(self._wall), value)

    def root(self, module: nn.Module) -> None:
        """Count the roots that the plan met."""
        self._roots += 1

    def step(self, optimizer: Optimizer) -> None:
        """Read the clocks; at the end of the turn, answer and wait. The first lasts until the job is warm."""
        if self._is_forked:
            return
        self._wall.append(time.perf_counter())
        self._cpu.append(time.process_time())
        if self._cuda:
            self._mark_cuda()
        self._left -= 1
        if self._left <= 0 and self._wall[-1] >= self._until and self._is_warm():
            self._optimizers.add(type(optimizer).__name__)
            if self._has_passed_barrier:
                self._end_turn()
            else:  # an unpickled or copied optimizer never passed the barrier: this step is nobody's
                self.before_training()

    def _is_warm(self) -> bool:
        return self._started_plan.steps >= self._started_plan.warmup_steps

    def _begin(self) -> None:
        """The next step starts now."""
        self._losses.clear()
        self._marks = []
        if self._cuda:
            torch.cuda.synchronize()
            self._mark_cuda()
        self._children = _children_seconds(self._process)
        self._cpu = [time.process_time()]
        self._wall = [time.perf_counter()]

    def _mark_cuda(self) -> None:
        mark = torch.cuda.Event(enable_timing=True)
        mark.record()
        self._marks.append(mark)

    def _end_turn(self) -> None:
        self._steps += len(self._wall) - 1
        if self._cuda:
            torch.cuda.synchronize()
        self._channel.send({"event": "turn", **self.answer()})
        self._wait()

    def answer(self) -> dict[str, Any]:
        """The turn under way up to its last step, and the state of the process."""
        return {**self._samples(), **self._state()}

    def _samples(self) -> dict[str, Any]:
        steps = len(self._wall) - 1
        children = (_children_seconds(self._process) - self._children) / max(steps, 1)
        return {
            "wall": _differences(self._wall),
            "cpu": [seconds + children for seconds in _differences(self._cpu)],
            "cuda": [a.elapsed_time(b) / 1e3 for a, b in itertools.pairwise(self._marks)],
            "losses": self._losses.by_step(steps),
        }

    def _state(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "threads": torch.get_num_threads(),
            "children": len(self._process.children(recursive=True)),
            "program_threads": threading.active_count() - 1,
            "prefetched_steps": self._started_plan.prefetched_steps,
            "roots": self._roots,
            "optimizers": sorted(self._optimizers),
            "not_applied": self._started_plan.not_applied(),
            "sites_changed": self._started_plan.sites_changed(),
            "figures": self._started_plan.figures(),
            "rss": _peak_rss(self._process),
            "cuda_allocated": torch.cuda.max_memory_allocated() if self._cuda else 0,
            "cuda_reserved": torch.cuda.max_memory_reserved() if self._cuda else 0,
            "ready_seconds": self._ready_seconds,
        }

    def _wait(self) -> None:
        message = self._channel.receive()
        if message is None or message["do"] == "stop":
            os._exit(0)  # the warden ends what the program left running; nothing of it may hold us up
        self._left = message.get("steps", 0)
        self._begin()
        self._until = self._wall[0] + message.get("seconds", 0.0)

    def _leave(self) -> None:
        """In a forked child: the channel and the turns are the parent's."""
        self._is_forked = True


def _differences(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


def _children_seconds(process: psutil.Process) -> float:
    """CPU seconds of all living descendants and of those already waited for."""
    ended = os.times()
    total = ended.children_user + ended.children_system
    for child in process.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.Error:  # it ended between the two looks; its time then counts as waited for
            continue
        total += spent.user + spent.system
    return total


def _peak_rss(process: psutil.Process) -> int:
    import resource

    children = 0
    for child in process.children(recursive=True):
        try:
            children += child.memory_info().rss
        except psutil.Error:  # it ended between the two looks
            continue
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + children
