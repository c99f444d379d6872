"""Lines at which torch itself warns that the host waits for the GPU: a check of what the other probes see."""

import warnings
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.workloads.patched import patched

_MESSAGE = "synchronizing CUDA operation"


class SyncWarningProbe(Probe):
    """Counts torch's warnings; it misses some waits, and may see what the other probes miss."""

    name = "sync_warnings"
    window = StepWindow(order=110, steps=5, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._lines: Counter[SourceLine] = Counter()

    def is_wanted(self) -> bool:
        """Where the roots live on a GPU."""
        return self.context.is_on_cuda

    @contextmanager
    def active(self) -> Generator[None]:
        """Let torch warn of each wait."""
        mode = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            show = warnings.showwarning

            def count(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
                if _MESSAGE in str(message):
                    self._lines[self.context.call_sites.current().source] += 1
                else:
                    show(message, category, *rest, **options)

            warnings.filterwarnings("always", message=f".*{_MESSAGE}.*")
            with patched(warnings, "showwarning", count):
                torch.cuda.set_sync_debug_mode("warn")
                yield
                torch.cuda.set_sync_debug_mode(mode)

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Lines and counts a step."""
        lines = [[p.path, p.line, count / self.steps] for p, count in self._lines.most_common()] if self.steps else []
        return ProbeReport(data={"lines": lines})
