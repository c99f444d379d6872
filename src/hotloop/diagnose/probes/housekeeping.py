"""Housekeeping in the middle of training: caches emptied, devices waited for, garbage collected."""

import functools
import gc
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch

from hotloop.diagnose.call_sites import NOWHERE, SourceLine
from hotloop.diagnose.line_events import LineEvents, frequent
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding
from hotloop.workloads.patched import patched

_FREQUENT = 0.8
_DEVICES = ("cuda", "mps", "xpu", "accelerator")
_OWNERS = ("gc", *(f"torch.{device}" for device in _DEVICES))
_CURES = {
    "empty_cache": "leave the cache alone, or empty it once an epoch: the next step asks for the same memory again",
    "synchronize": "take it out of the loop: reading a result waits for the device by itself",
    "collect": "take it out of the loop, or collect once an epoch; for pauses at even times gc.freeze() after set-up",
}


class HousekeepingProbe(Probe):
    """Replaces the functions while its window is open, wherever a module of the program has their name.

    A function that was stored elsewhere (in an object, in a closure) is not seen.
    """

    name = "housekeeping"
    window = StepWindow(order=50, steps=10, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._calls: dict[tuple[SourceLine, str], LineEvents] = {}
        self._depth = 0

    @contextmanager
    def active(self) -> Generator[None]:
        """Time the functions where they are called."""
        timed = {id(original): self._timed(title, original) for title, original in _functions().items()}
        found = [
            (module, name, timed[id(value)])
            for module in self._modules()
            for name, value in list(vars(module).items())
            if id(value) in timed
        ]
        with ExitStack() as stack:
            for module, name, call in found:
                stack.enter_context(patched(module, name, call))
            yield

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding for each line that does it in nearly every step."""
        lines = [
            [line.path, line.line, title, calls.kinds.total() / self.steps, calls.seconds / self.steps]
            for (line, title), calls in self._calls.items()
        ]
        calls = frequent(self._calls, share=_FREQUENT, steps=self.steps)
        findings = [self._finding(line, title, calls[line, title], times) for line, title in calls]
        return ProbeReport(findings=findings, data={"steps": self.steps, "lines": lines})

    def _finding(self, line: SourceLine, title: str, calls: LineEvents, times: PhaseTimes) -> Finding:
        seconds = calls.seconds / self.steps
        share = times.share(seconds)
        name = title.rpartition(".")[2]
        finding = measured_finding(
            line,
            code="SY08",
            per_step=calls.kinds.total() / self.steps,
            share=share,
            cure=_CURES[name],
            message=(
                f"{title}() runs {calls.kinds.total() / self.steps:.3g} times a step and takes {1e3 * seconds:.3g} ms, "
                f"{share:.1%} of it"
            ),
            evidence={"call": title, "ms": 1e3 * seconds},
        )
        # Emptying also makes the next step ask the driver for memory, which is not in the call: nothing limits it.
        return replace(finding, amdahl_limit=None) if name == "empty_cache" and self.context.is_on_cuda else finding

    def _timed(self, title: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.context.is_forked or self._depth:
                return original(*args, **kwargs)
            self._depth += 1
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - began
                self._depth -= 1
                line = self.context.call_sites.current().source
                if line != NOWHERE:
                    self._calls.setdefault((line, title), LineEvents()).add(title, self.steps, seconds)

        call._torchdynamo_disable = True  # pyright: ignore[reportAttributeAccessIssue]
        return call

    def _modules(self) -> list[ModuleType]:
        """gc, torch's device modules, and what the program and its libraries imported."""
        is_users = self.context.call_sites.is_users
        return [
            module
            for name, module in list(sys.modules.items())
            if name.startswith(_OWNERS) or is_users(str(getattr(module, "__dict__", {}).get("__file__") or "<none>"))
        ]


def _functions() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"gc.collect": gc.collect}
    for device in _DEVICES:
        for name in ("empty_cache", "synchronize"):
            function = getattr(getattr(torch, device, None), name, None)
            if function is not None:
                found[f"torch.{device}.{name}"] = function
    return found
