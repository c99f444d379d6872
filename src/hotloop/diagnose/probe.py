"""Probe: what looks at a few steps of a running program for one thing; the base of all files in probes/."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from torch import nn

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding


@dataclass(kw_only=True)
class ProbeReport:
    """What a probe has found, and data for the document under the probe's name (None: nothing)."""

    findings: list[Finding] = field(default_factory=list[Finding])
    data: Any = None
    notes: list[str] = field(default_factory=list[str])


class Probe(ABC):
    """Looks at the steps of its window, which are never timed; without a window, at all steps.

    A probe named N is the class of that `name` in probes/N.py.
    """

    name: ClassVar[str]
    window: ClassVar[StepWindow | None] = None

    def __init__(self, context: TraceContext) -> None:
        self.context = context
        self.steps = 0

    def installed(self) -> AbstractContextManager[None]:
        """Hooks that stay for the whole run; entered before the program starts."""
        return nullcontext()

    def root(self, module: nn.Module) -> None:  # noqa: B027  # most probes need not know
        """An outermost module is about to be called for the first time."""

    def is_wanted(self) -> bool:
        """Whether there is anything here for this probe to see; asked when its window is about to open."""
        return True

    def active(self) -> AbstractContextManager[None]:
        """Entered between two steps when the window opens, left between two steps when it closes."""
        return nullcontext()

    def step(self) -> None:
        """A step of the window has ended."""
        self.steps += 1

    @abstractmethod
    def report(self, times: PhaseTimes) -> ProbeReport:
        """What was seen, with shares of the step as it was timed."""


def amdahl_limit(share: float) -> float:
    """The most that a program can speed up when this share of its time goes away (Amdahl 1967)."""
    return 1.0 / max(1.0 - share, 1e-3)


def measured_finding(
    at: SourceLine,
    *,
    code: str,
    share: float,
    message: str,
    cure: str,
    per_step: float | None = None,
    transform: str | None = None,
    evidence: Mapping[str, float | int | str] = MappingProxyType({}),
) -> Finding:
    """A finding at a line that takes `share` of the time, with what removing it could win at most."""
    return Finding(
        code=code,
        path=at.path,
        line=at.line,
        message=message,
        cure=cure,
        transform=transform,
        per_step=per_step,
        share=share,
        amdahl_limit=amdahl_limit(share),
        evidence=evidence,
    )
