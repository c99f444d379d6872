"""Host reads: where the host waits for a tensor's value or a size that depends on it, by line and count a step."""

from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.dispatch_observer import median_seconds
from hotloop.diagnose.distinct_reads import DistinctReads
from hotloop.diagnose.host_reads import CURES, code_of
from hotloop.diagnose.line_events import LineEvents, frequent
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.read_modes import ReadModes, SeenRead
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding

_FREQUENT = 0.5
_REPEATS = 20


@dataclass(kw_only=True)
class _Reads(LineEvents):
    """What was read at one line, the rules that it broke, and a call of each kind to time again."""

    codes: Counter[str] = field(default_factory=Counter[str])
    again: dict[str, Callable[[], Any]] = field(default_factory=dict[str, Callable[[], Any]])


class HostReadProbe(Probe):
    """Counts the host reads of a few steps, and times them again afterwards."""

    name = "reads"
    window = StepWindow(order=30, steps=10, most=0.1)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._modes = ReadModes(context, self._note)
        self._lines: dict[SourceLine, _Reads] = {}
        self._distinct = DistinctReads()

    @contextmanager
    def active(self) -> Generator[None]:
        """See every read; on the CPU time the reads again when the modes no longer slow them down."""
        with self._modes.active():
            yield
        if not self.context.is_on_cuda:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                for reads in self._lines.values():
                    median = {kind: median_seconds(call, repeats=_REPEATS) for kind, call in reads.again.items()}
                    reads.seconds = sum(count * median[kind] for kind, count in reads.kinds.items())
        for reads in self._lines.values():
            reads.again.clear()

    def step(self) -> None:
        super().step()
        self._modes.operations.clear()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding for each line that reads in at least every second step."""
        lines = frequent(self._lines, share=_FREQUENT, steps=self.steps)
        total = sum(reads.kinds.total() for reads in lines.values())
        return ProbeReport(
            findings=[self._finding(at, reads, times) for at, reads in lines.items()],
            data={"steps": self.steps, "per_step": total / self.steps if self.steps else 0.0},
        )

    def _note(self, read: SeenRead) -> None:
        kind, at = read.kind, read.site.source
        if not self._distinct.counts(read):
            return
        reads = self._lines.setdefault(at, _Reads())
        reads.add(kind, self.steps, read.seconds)
        reads.codes[code_of(kind, read.site)] += 1
        if kind not in reads.again:
            reads.again[kind] = read.call.again()

    def _finding(self, at: SourceLine, reads: _Reads, times: PhaseTimes) -> Finding:
        per_step = reads.kinds.total() / self.steps
        seconds = reads.seconds / self.steps
        share = times.share(seconds)
        code = self._code(reads, per_step)
        kinds = ", ".join(
            f"{kind}{f' x{number}' if number > self.steps else ''}" for kind, number in reads.kinds.items()
        )
        return measured_finding(
            at,
            code=code,
            per_step=per_step,
            share=share,
            cure=CURES[code],
            message=f"the host reads {kinds} {per_step:.3g} times a step, {1e3 * seconds:.3g} ms or {share:.2%} of it",
            evidence={"read_ms": 1e3 * seconds, "kinds": kinds},
        )

    def _code(self, reads: _Reads, per_step: float) -> str:
        code = reads.codes.most_common(1)[0][0]
        if code == "SY01" and per_step >= 4 and per_step == self.context.num_parameters:
            return "SY07"
        return "SY05" if code == "SY01" and per_step >= 8 else code
