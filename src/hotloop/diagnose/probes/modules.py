"""The share of each module in forward and backward, self and total, root to leaf."""

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.module_calls import ModuleCalls, TracedModule, is_compiled, plain
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, amdahl_limit, measured_finding
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext, listening
from hotloop.finding import Finding

_MOST_LISTED = 60
_DOMINANT = 0.3

_Shares = Mapping[TracedModule, float]


class ModuleProbe(Probe):
    """Times modules, and scales what it sees to the forward and backward time of a step as it was timed."""

    name = "modules"
    window = StepWindow(order=20, steps=10, most=0.1)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._calls = ModuleCalls(context.call_sites)

    def is_wanted(self) -> bool:
        """Where there is a root."""
        return bool(self.context.roots)

    @contextmanager
    def active(self) -> Generator[None]:
        """Follow the calls of modules and each backward pass."""
        context, calls = self.context, self._calls
        with (
            calls.recording(context.roots, on_cuda=context.is_on_cuda),
            listening(context.before_backward, calls.before_backward),
            listening(context.after_backward, calls.after_backward),
        ):
            yield

    def step(self) -> None:
        super().step()
        self._calls.step()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Modules with their shares, and a finding for each root that takes much of the time."""
        training = times.shares.get("forward", 0.0) + times.shares.get("backward", 0.0)
        seconds = self._calls.seconds
        known = sum(seconds.values())
        if not known or not self.steps:
            return ProbeReport(data=[])
        own = {module: spent / known * training for module, spent in seconds.items()}
        total = dict(own)
        for module in reversed(self._calls.modules):
            if module.parent is not None:
                total[module.parent] += total[module]
        order = sorted(total, key=lambda module: total[module], reverse=True)[:_MOST_LISTED]
        return ProbeReport(
            data=[self._row(module, own[module], total[module]) for module in order if module.calls],
            findings=[
                self._finding(module, own, share)
                for module, share in total.items()
                if module.parent is None and module.calls and share >= _DOMINANT
            ],
        )

    def _row(self, module: TracedModule, own: float, total: float) -> dict[str, Any]:
        path, line = self._defined(module)
        return {
            "name": module.name,
            "type": _kind(module),
            "path": path,
            "line": line,
            "calls": module.calls / self.steps,
            "self_share": own,
            "share": total,
            "bound": amdahl_limit(total),
            "compiled": is_compiled(module.module),
        }

    def _defined(self, module: TracedModule) -> SourceLine:
        """Where its forward is written; for what torch itself wrote, where it was called."""
        forward = getattr(type(plain(module.module)), "forward", None)
        code = getattr(inspect.unwrap(forward) if forward else None, "__code__", None)
        if code is None or not self.context.call_sites.is_users(code.co_filename):
            return module.called_at
        return SourceLine(self.context.call_sites.original(code.co_filename), code.co_firstlineno)

    def _finding(self, root: TracedModule, own: _Shares, share: float) -> Finding:
        """A root, with the kinds of layers that its time goes to."""
        kinds: dict[str, float] = {}
        for module, part in own.items():
            if module.root is root:
                kinds[_kind(module)] = kinds.get(_kind(module), 0.0) + part
        top = sorted(kinds.items(), key=lambda item: item[1], reverse=True)[:4]
        parts = ", ".join(f"{kind} {part:.0%}" for kind, part in top if part >= 0.01)
        transform = "compile"
        cure = "compile it, compute in lower precision (autocast), or restructure what dominates"
        if is_compiled(root.module):
            transform, cure = None, "it is compiled already; try autocast or channels_last"
        return measured_finding(
            self._defined(root),
            code="CO05",
            per_step=root.calls / self.steps,
            share=share,
            transform=transform,
            cure=cure,
            message=f"forward and backward of {root.name} take {share:.0%} of a step: {parts}",
            evidence={"module": root.name, **{f"share_{kind}": part for kind, part in top}},
        )


def _kind(module: TracedModule) -> str:
    return type(plain(module.module)).__name__
