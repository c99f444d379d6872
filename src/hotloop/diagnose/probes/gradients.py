"""Gradients as the optimizer receives them: numbers that are not finite, parameters without any, norms that explode."""

import math
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.diagnose.call_sites import NOWHERE
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext
from hotloop.finding import Finding

_EXPLODED = 100.0
_CURES = {
    "OP03": "clip the gradient's norm, and watch its maximum and not the last batch",
    "OP05": "count what is not finite on the device and look at the first batch that has it",
    "OP07": "leave what is not trained out of the optimizer, or find why the loss does not reach it",
}


class GradientProbe(Probe):
    """Norms of a few steps; they stay on the device until the window has closed."""

    name = "gradients"
    window = StepWindow(order=90, steps=5, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._names: dict[int, str] = {}
        self._norms: dict[str, list[Tensor]] = {}
        self._norms_by_update: list[list[Tensor]] = []
        self._missing: dict[str, int] = {}

    def is_wanted(self) -> bool:
        """Where an optimizer has stepped."""
        return bool(self.context.optimizers)

    @contextmanager
    def active(self) -> Generator[None]:
        """Look at the gradients right before each update."""
        for root in self.context.roots:
            for name, parameter in root.named_parameters():
                self._names.setdefault(id(parameter), f"{type(root).__name__}.{name}")
        handle = register_optimizer_step_pre_hook(self._look)
        yield
        handle.remove()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Counts, and a finding for each kind of fault."""
        updates = len(self._norms_by_update)
        norms = {name: [float(value) for value in values] for name, values in self._norms.items()}
        sick = [name for name, values in norms.items() if not all(map(math.isfinite, values))]
        zero = [name for name, values in norms.items() if values and not any(values)]
        never = [name for name, count in self._missing.items() if count == updates]
        faults = (
            ("OP05", sick, "{} parameters get gradients that are not finite: {}"),
            ("OP05", zero, "{} parameters get nothing but zeros: {}"),
            ("OP07", never, "the optimizer holds {} parameters without a gradient: {}"),
        )
        findings: list[Finding] = []
        for code, names, text in faults:
            if names:
                some = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
                findings.append(self._finding(code, text.format(len(names), some)))
        wholes = [math.sqrt(sum(float(norm) ** 2 for norm in norms)) for norms in self._norms_by_update]
        positive = [norm for norm in wholes if norm > 0]
        growth = max(positive) / min(positive) if positive else 1.0
        if not sick and growth > _EXPLODED:
            message = f"from one batch to another the gradient's norm grows {growth:.0f} times"
            findings.append(self._finding("OP03", message))
        data = {"updates": updates, "not_finite": sick, "zero": zero, "missing": never}
        return ProbeReport(findings=findings, data=data)

    def _finding(self, code: str, message: str) -> Finding:
        line = next(iter(self.context.optimizer_lines.values()), NOWHERE)
        return measured_finding(line, code=code, share=0.0, cure=_CURES[code], message=message)

    @torch.no_grad()
    def _look(self, optimizer: Optimizer, *_: object) -> None:
        if self.context.is_forked:
            return
        norms: list[Tensor] = []
        self._norms_by_update.append(norms)
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            name = self._names.get(id(parameter), "a parameter of no root")
            if parameter.grad is None:
                self._missing[name] = self._missing.get(name, 0) + 1
            elif parameter.grad.layout is torch.strided:
                norm = parameter.grad.norm()
                self._norms.setdefault(name, []).append(norm)
                norms.append(norm)
