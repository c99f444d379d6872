"""What Dynamo does in a program that compiles: graph breaks and recompiles with reason and line, and what never ran."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from hotloop.diagnose import dynamo
from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import TIMED
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding
from hotloop.workloads.patched import patched


class CompileProbe(Probe):
    """Listens for the whole run; its window is those steps in which nothing should compile any more."""

    name = "compile"
    window = TIMED

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._calls: list[_CompileCall] = []
        self._recompiles: list[tuple[SourceLine, str]] = []
        self._late_recompiles: list[tuple[SourceLine, str]] = []
        self._is_active = False
        self._seconds = 0.0
        self._notes: list[str] = []

    @contextmanager
    def installed(self) -> Generator[None]:
        """torch.compile remembers its callers; recompiles are logged to us."""
        original = torch.compile

        def compile_remembered(model: Any = None, **options: Any) -> Any:
            if model is None:  # a decorator with options
                return lambda function: compile_remembered(function, **options)  # pyright: ignore[reportUnknownLambdaType]
            result: Any = original(model, **options)
            call = _CompileCall(target=model, at=self.context.call_sites.current().source)
            if isinstance(result, nn.Module):
                call.use = _Use()
                result.register_forward_pre_hook(call.use)
            self._calls.append(call)
            return result

        compile_remembered.__doc__ = original.__doc__
        with (
            dynamo.listening_for_recompiles(self.context.call_sites, self._recompiled),
            patched(torch, "compile", compile_remembered),
        ):
            yield

    @contextmanager
    def active(self) -> Generator[None]:
        """Compiling in these steps is a finding.

        The modes of the probes that follow fail the guards of compiled code: it then runs eagerly, and is not compiled
        anew for them.
        """
        before = dynamo.compile_seconds()
        self._is_active = True
        yield
        self._is_active = False
        self._seconds = dynamo.compile_seconds() - before
        if dynamo.num_graphs():
            torch.compiler.set_stance("eager_on_recompile")
            self._notes.append("the program compiles: under probes that its guards reject, compiled code ran eagerly")

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Graph breaks, recompiles, and what was compiled and never called."""
        breaks = dynamo.graph_breaks(self.context.call_sites)
        never_run = [self._never_run(call) for call in self._calls if not call.has_run]
        data = {
            "graphs": dynamo.num_graphs(),
            "graph_breaks": [[at.path, at.line, reason] for at, reason in breaks],
            "recompiles": [[at.path, at.line, reason] for at, reason in (*self._recompiles, *self._late_recompiles)],
            "compiled": [[call.at.path, call.at.line, call.title] for call in self._calls],
        }
        cure = "keep values on the device (torch.where for a branch), or move this line out of what is compiled"
        found = [
            Finding(code="CO07", path=at.path, line=at.line, cure=cure, message=f"the graph breaks here: {reason}")
            for at, reason in breaks
        ]
        return ProbeReport(findings=[*found, *self._late(times), *never_run], data=data, notes=self._notes)

    def _recompiled(self, at: SourceLine, guard: str) -> None:
        if self._is_active:
            self._late_recompiles.append((at, guard))
        elif not self.steps:  # later ones are caused by other probes
            self._recompiles.append((at, guard))

    def _late(self, times: PhaseTimes) -> list[Finding]:
        late = self._late_recompiles
        if not late or not self.steps:
            return []
        at, guard = late[0]
        finding = measured_finding(
            at,
            code="CO07",
            per_step=len(late) / self.steps,
            share=times.share(self._seconds / self.steps),
            cure="keep shapes and Python values the same, or mark what changes as dynamic",
            message=f"{len(late)} recompiles in {self.steps} steps after the warmup: {guard}",
            evidence={"compile_s": self._seconds},
        )
        return [finding]

    def _never_run(self, call: "_CompileCall") -> Finding:
        module = call.module
        code, cure = "CO04", "call it, or take the torch.compile away"
        if module is not None and any(module in set(root.modules()) for root in self.context.roots):
            code, cure = "CO03", "call the compiled module itself, or use module.compile()"
        message = f"{call.title} is compiled here, and nothing of it was compiled in any step"
        return Finding(code=code, path=call.at.path, line=call.at.line, per_step=0.0, cure=cure, message=message)


class _Use:
    """A hook that remembers a call; a copy of its module begins anew."""

    def __init__(self) -> None:
        self.is_called = False

    def __call__(self, _module: nn.Module, _args: Any) -> None:
        self.is_called = True

    def __reduce__(self) -> Any:
        return (_Use, ())


@dataclass(kw_only=True)
class _CompileCall:
    """One call of torch.compile: what was compiled, where, and for a module whether it was used."""

    target: Any
    at: SourceLine
    use: _Use | None = None

    @property
    def module(self) -> nn.Module | None:
        owner = self.target if isinstance(self.target, nn.Module) else getattr(self.target, "__self__", None)
        return owner if isinstance(owner, nn.Module) else None

    @property
    def title(self) -> str:
        module = self.module
        return type(module).__name__ if module is not None else str(getattr(self.target, "__qualname__", self.target))

    @property
    def has_run(self) -> bool:
        """Whether it was ever called; True where that cannot be known."""
        if self.use is not None:
            return self.use.is_called
        code = getattr(self.target, "__code__", None)
        return code is None or dynamo.has_entries(code)
