"""Kernels, copies and waits of a few steps as CUPTI saw them, by torch's profiler."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext


class ProfilerProbe(Probe):
    """Profiles a few steps on a GPU."""

    name = "trace"
    window = StepWindow(order=100, steps=5, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._profiler: Any = None

    def is_wanted(self) -> bool:
        """Where the roots live on a GPU."""
        return self.context.is_on_cuda

    @contextmanager
    def active(self) -> Generator[None]:
        """Profile until the GPU is done."""
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as self._profiler:
            yield
            torch.cuda.synchronize()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Counts a step; the shares of kernels and copies."""
        if not self.steps:
            return ProbeReport(data={})
        device = [e for e in self._profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
        waits = sum(1 for e in self._profiler.events() if "Synchronize" in e.name)
        kernels = [event for event in device if "Mem" not in event.name]

        def share(events: list[Any]) -> float:
            return times.share(sum(e.time_range.elapsed_us() for e in events) / 1e6 / self.steps)

        data = {
            "kernels_per_step": len(kernels) / self.steps,
            "kernel_share": share(kernels),
            "waits_per_step": waits / self.steps,
            "host_to_device_share": share([e for e in device if "HtoD" in e.name]),
            "device_to_host_share": share([e for e in device if "DtoH" in e.name]),
        }
        return ProbeReport(data=data)
