"""Copies to an accelerator that do only half of what lets them overlap with the host's work."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.line_events import LineEvents, frequent
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding

_FREQUENT = 0.5
ACCELERATORS = ("cuda", "xpu")  # those that copy from pinned memory by themselves
_MOVES = (Tensor.to, Tensor.cuda, Tensor.xpu)
_CURES = {
    "unpinned": "give the loader pin_memory=True: only then does non_blocking=True do anything",
    "blocking": "pass non_blocking=True: the memory is pinned already",
}
_MESSAGES = {
    "unpinned": "is copied with non_blocking=True from memory that is not pinned, so the host waits all the same",
    "blocking": "is copied from pinned memory without non_blocking=True, so the host waits",
}


@dataclass(frozen=True, kw_only=True)
class DeviceCopy:
    """One copy as it happened: between which kinds of devices, from what memory, asked for how."""

    source: str
    target: str
    is_pinned: bool
    non_blocking: bool

    def fault(self, accelerators: tuple[str, ...] = ACCELERATORS) -> str | None:
        """Which half is missing; None where nothing is, or both are, or it is no copy from the host to a device."""
        if self.source != "cpu" or self.target not in accelerators or self.is_pinned == self.non_blocking:
            return None
        return "blocking" if self.is_pinned else "unpinned"


@dataclass(kw_only=True)
class _Copies(LineEvents):
    """What one line copied, by fault."""

    num_bytes: int = 0


class TransferProbe(Probe):
    """Sees `.to`, `.cuda`, `.xpu` and `.copy_`, and asks what they copied from whether it is pinned."""

    name = "transfers"
    window = StepWindow(order=60, steps=10, most=0.05)

    def __init__(self, context: TraceContext, *, accelerators: tuple[str, ...] = ACCELERATORS) -> None:
        super().__init__(context)
        self._accelerators = accelerators
        self._lines: dict[SourceLine, _Copies] = {}

    def is_wanted(self) -> bool:
        """Where a root lives on an accelerator."""
        devices = {p.device.type for root in self.context.roots for p in root.parameters()}
        return not devices.isdisjoint(self._accelerators)

    @contextmanager
    def active(self) -> Generator[None]:
        """See every copy."""
        with _Moves(self):
            yield

    def note(self, copy: DeviceCopy, num_bytes: int, seconds: float) -> None:
        """One copy, and how long the host took for it."""
        fault = copy.fault(self._accelerators)
        if fault is not None:
            copies = self._lines.setdefault(self.context.call_sites.current().source, _Copies())
            copies.add(fault, self.steps, seconds)
            copies.num_bytes += num_bytes

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding for each line that does so in at least every second step."""
        lines = frequent(self._lines, share=_FREQUENT, steps=self.steps)
        return ProbeReport(
            findings=[self._finding(at, copies, times) for at, copies in lines.items()],
            data={"steps": self.steps, "lines": len(self._lines)},
        )

    def _finding(self, at: SourceLine, copies: _Copies, times: PhaseTimes) -> Finding:
        fault = copies.kinds.most_common(1)[0][0]
        share = times.share(copies.seconds / self.steps)
        num_bytes = copies.num_bytes / self.steps
        return measured_finding(
            at,
            code="SY09",
            per_step=copies.kinds.total() / self.steps,
            share=share,
            cure=_CURES[fault],
            message=f"{num_bytes / 2**20:.3g} MiB a step {_MESSAGES[fault]}: {share:.1%} of a step",
            evidence={"fault": fault, "bytes": num_bytes, "ms": 1e3 * copies.seconds / self.steps},
        )


class _Moves(TorchFunctionMode):
    def __init__(self, probe: TransferProbe) -> None:
        super().__init__()
        self._probe = probe

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        context = self._probe.context
        if context.is_forked or not (func in _MOVES or func is Tensor.copy_):
            return func(*args, **kwargs)
        began = time.perf_counter()
        result = func(*args, **kwargs)
        seconds = time.perf_counter() - began
        source = args[0] if func in _MOVES else kwargs.get("src", args[1] if len(args) > 1 else None)
        if isinstance(source, Tensor) and result.device != source.device and not context.fetch_depth:
            self._probe.note(_copy(source, result, args, kwargs), source.numel() * source.element_size(), seconds)
        return result


def _copy(source: Tensor, result: Tensor, args: Any, kwargs: Any) -> DeviceCopy:
    """In all of these methods `non_blocking` is the first argument that can be a bool."""
    given = next((value for value in args if isinstance(value, bool)), False)
    return DeviceCopy(
        source=source.device.type,
        target=result.device.type,
        is_pinned=source.device.type == "cpu" and source.layout is torch.strided and source.is_pinned(),
        non_blocking=bool(kwargs.get("non_blocking", given)),
    )
