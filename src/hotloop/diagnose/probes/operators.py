"""Operators of a step: how many, from which lines, how many too small to be worth a call; casts; growing tensors."""

import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.casts import CastCounts
from hotloop.diagnose.concatenations import Concatenations
from hotloop.diagnose.dispatch_observer import DispatchObserver, median_seconds
from hotloop.diagnose.operator_work import OperatorWork
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding

_TINY_BYTES = 16 * 1024
_MANY = 200
_WORTH_REPORTING = 0.1
_REPEATS = 200
_MOST_LISTED = 20
_MOST_LINES = 10
_aten = torch.ops.aten
# Views and bookkeeping start no kernel.
_NO_KERNEL = {
    _aten.detach,
    _aten.view,
    _aten._unsafe_view,
    _aten.t,
    _aten.transpose,
    _aten.permute,
    _aten.expand,
    _aten.select,
    _aten.slice,
    _aten.unsqueeze,
    _aten.squeeze,
    _aten.alias,
    _aten.lift_fresh,
    _aten.as_strided,
    _aten.unbind,
    _aten.split,
}


class OperatorProbe(Probe):
    """Counts what reaches the kernels in a few steps."""

    name = "operators"
    window = StepWindow(order=40, steps=5, most=0.1)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._names: Counter[str] = Counter()
        self._tiny: Counter[SourceLine] = Counter()
        self._line_seconds: dict[SourceLine, float] = {}
        self._casts = CastCounts()
        self._concatenations = Concatenations()
        self._call_seconds = 0.0
        self._work = OperatorWork()

    @contextmanager
    def active(self) -> Generator[None]:
        """Count operators; then time what one call takes whatever its size, without the mode."""
        with DispatchObserver(self.context, self._count):
            yield
        value = torch.ones(64, requires_grad=True)  # autograd follows the call, as it does most of a program's
        self._call_seconds = median_seconds(lambda: value * 1.0, repeats=_REPEATS)

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Counts, and findings on small operators, casts and growing tensors."""
        if not self.steps:
            return ProbeReport(data={})
        tiny = self._tiny.total() / self.steps
        share = times.share(tiny * self._call_seconds)
        # By the host's time; on a GPU that is the time to start them.
        busiest = sorted(self._line_seconds.items(), key=lambda item: item[1], reverse=True)[:_MOST_LINES]
        data = {
            "per_step": self._names.total() / self.steps,
            "tiny_per_step": tiny,
            "tiny_share": share,
            "compute_share": times.share(self._work.computing(self._call_seconds) / self.steps),
            "memory_share": times.share(self._work.moving(self._call_seconds) / self.steps),
            "compiled": _is_compiled(),
            "lines": [[at.path, at.line, times.share(seconds / self.steps)] for at, seconds in busiest],
            "most_called": [[name, count / self.steps] for name, count in self._names.most_common(_MOST_LISTED)],
        }
        findings = [
            *([self._many_small(tiny, share)] if tiny >= _MANY and share >= _WORTH_REPORTING else []),
            *self._concatenations.findings(times, self.steps),
            *self._casts.findings(times, self.steps),
        ]
        return ProbeReport(findings=findings, data=data)

    def _count(self, func: Any, args: Any, kwargs: Any, result: Any, seconds: float) -> None:
        if self.context.fetch_depth:
            return
        packet = getattr(func, "overloadpacket", func)
        site = self.context.call_sites.current()
        if packet in _NO_KERNEL or site.passes("/torch/utils/data/"):
            return
        at = site.source
        self._names[str(packet).removeprefix("aten.")] += 1
        self._line_seconds[at] = self._line_seconds.get(at, 0.0) + seconds
        size = _bytes(args) + _bytes([result])
        if size <= _TINY_BYTES:
            self._tiny[at] += 1
        else:
            self._work.note(packet, args, kwargs, result, seconds=seconds, size=size)
        if packet is _aten.cat:
            self._concatenations.note(at, args, result, seconds)
        elif packet is _aten._to_copy:
            self._casts.note(site, args, kwargs, seconds)

    def _many_small(self, tiny: float, share: float) -> Finding:
        at, count = self._tiny.most_common(1)[0]
        return measured_finding(
            at,
            code="CO06",
            per_step=tiny,
            share=share,
            transform="compile",
            cure="compile, or stack the weights of equal small modules into one batched product",
            message=(
                f"a step calls {tiny:.0f} operators on less than 16 KiB each, {count / self.steps:.0f} from "
                f"this line; the calls alone take {share:.0%} of it"
            ),
            evidence={"operators": self._names.total() / self.steps, "call_us": 1e6 * self._call_seconds},
        )


def _is_compiled() -> bool:
    """Whether Dynamo has compiled a graph, whose operators no dispatch mode sees."""
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and bool(dynamo.counters["stats"]["unique_graphs"])


def _bytes(values: Any) -> int:
    """Bytes of the tensors among these, lists of them opened."""
    total = 0
    for value in values:
        if isinstance(value, Tensor):
            total += value.numel() * value.element_size()
        elif isinstance(value, (list, tuple)):
            total += _bytes(value)
    return total
