"""Cross-checks that only a GPU allows: the profiler's trace, and torch's own warnings of synchronizing calls."""

import warnings
from collections import Counter
from typing import Any

import torch

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.trace_context import Report, Scene, StepTime


class Trace:
    """Kernels, copies and waits of a few steps as CUPTI saw them."""

    name = "trace"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._profiler: Any = None
        self._steps = 0

    def is_wanted(self) -> bool:
        """Where the roots live on a GPU."""
        return self._scene.is_on_cuda

    def open(self) -> None:
        """Start the profiler."""
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        self._profiler = torch.profiler.profile(activities=activities)
        self._profiler.__enter__()

    def step(self) -> None:
        """Count."""
        self._steps += 1

    def close(self) -> None:
        """Stop the profiler once the GPU is done."""
        torch.cuda.synchronize()
        self._profiler.__exit__(None, None, None)

    def report(self, step: StepTime) -> Report:
        """Counts and seconds a step; the share of copies to the device."""
        if not self._steps:
            return Report(data={})
        device = [e for e in self._profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
        waits = sum(1 for e in self._profiler.events() if "Synchronize" in e.name)
        copies = {kind: self._seconds(device, kind) for kind in ("HtoD", "DtoH")}
        kernels = [event for event in device if "Mem" not in event.name]
        data = {
            "kernels_per_step": len(kernels) / self._steps,
            "kernel_share": step.share(sum(e.time_range.elapsed_us() for e in kernels) / 1e6 / self._steps),
            "waits_per_step": waits / self._steps,
            "host_to_device_share": step.share(copies["HtoD"]),
            "device_to_host_share": step.share(copies["DtoH"]),
        }
        return Report(data=data)

    def _seconds(self, events: list[Any], kind: str) -> float:
        return sum(e.time_range.elapsed_us() for e in events if kind in e.name) / 1e6 / self._steps


class SyncWarnings:
    """Lines at which torch itself warns that the host waits; it misses some, and may see what the spies miss."""

    name = "sync_warnings"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._lines: Counter[Place] = Counter()
        self._steps = 0
        self._show: Any = None
        self._catching: Any = None
        self._mode = 0

    def is_wanted(self) -> bool:
        """Where the roots live on a GPU."""
        return self._scene.is_on_cuda

    def open(self) -> None:
        """Let torch warn of each wait."""
        self._mode = torch.cuda.get_sync_debug_mode()
        self._catching = warnings.catch_warnings()
        self._catching.__enter__()
        self._show = warnings.showwarning
        warnings.filterwarnings("always", message=".*synchronizing CUDA operation.*")
        warnings.showwarning = self._warned
        torch.cuda.set_sync_debug_mode("warn")

    def step(self) -> None:
        """Count."""
        self._steps += 1

    def close(self) -> None:
        """As it was before."""
        torch.cuda.set_sync_debug_mode(self._mode)
        self._catching.__exit__(None, None, None)

    def report(self, step: StepTime) -> Report:
        """Lines and counts a step."""
        lines = [[p.path, p.line, count / self._steps] for p, count in self._lines.most_common()] if self._steps else []
        return Report(data={"lines": lines})

    def _warned(self, message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
        if "synchronizing CUDA operation" in str(message):
            self._lines[self._scene.places.look().place] += 1
        else:
            self._show(message, category, *rest, **options)
