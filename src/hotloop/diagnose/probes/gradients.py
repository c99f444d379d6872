"""Gradients as the optimizer receives them: numbers that are not finite, parameters without any, norms that explode."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from hotloop.diagnose.trace_context import Report, Scene, StepTime
from hotloop.finding import Finding

_EXPLODED = 100.0


class Gradients:
    """Norms of a few steps; stays on the device until the window has closed."""

    name = "gradients"

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._handle: Any = None
        self._names: dict[int, str] = {}
        self._norms: dict[str, list[Tensor]] = {}
        self._wholes: list[list[Tensor]] = []
        self._missing: dict[str, int] = {}
        self._updates = 0
        self._place = ("", 0)

    def is_wanted(self) -> bool:
        """Where an optimizer has stepped."""
        return bool(self._scene.optimizers)

    def open(self) -> None:
        """Look at the gradients right before each update."""
        for root in self._scene.roots:
            for name, parameter in root.named_parameters():
                self._names.setdefault(id(parameter), f"{type(root).__name__}.{name}")
        self._place = next(iter(self._scene.optimizer_places.values()), ("", 0))
        self._handle = register_optimizer_step_pre_hook(self._look)

    def step(self) -> None:
        """Nothing: updates are counted where they happen."""

    def close(self) -> None:
        """Look no more."""
        self._handle.remove()

    def report(self, step: StepTime) -> Report:
        """Counts, and a finding for each kind of sickness."""
        norms = {name: [float(value) for value in values] for name, values in self._norms.items()}
        sick = [name for name, values in norms.items() if not all(map(math.isfinite, values))]
        zero = [name for name, values in norms.items() if values and not any(values)]
        never = [name for name, count in self._missing.items() if count == self._updates]
        data = {"updates": self._updates, "not_finite": sick, "zero": zero, "missing": never}
        findings: list[Finding] = []
        if sick:
            findings.append(
                self._finding("OP05", f"{len(sick)} parameters get gradients that are not finite: {_some(sick)}")
            )
        if zero:
            findings.append(self._finding("OP05", f"{len(zero)} parameters get nothing but zeros: {_some(zero)}"))
        if never:
            findings.append(
                self._finding("OP07", f"the optimizer holds {len(never)} parameters without a gradient: {_some(never)}")
            )
        if not sick and (grown := self._grown()) > _EXPLODED:
            findings.append(
                self._finding("OP03", f"from one batch to another the gradient's norm grows {grown:.0f} times")
            )
        return Report(findings=findings, data=data)

    def _grown(self) -> float:
        """The largest norm of the whole gradient over the smallest that is not zero."""
        steps = [v for v in (math.sqrt(sum(float(n) ** 2 for n in row)) for row in self._wholes) if v > 0]
        return max(steps) / min(steps) if steps else 1.0

    def _finding(self, code: str, message: str) -> Finding:
        cures = {
            "OP03": "clip the gradient's norm, and watch its maximum and not the last batch",
            "OP05": "count what is not finite on the device and look at the first batch that has it",
            "OP07": "leave what is not trained out of the optimizer, or find why the loss does not reach it",
        }
        path, line = self._place
        return Finding(code=code, path=path, line=line, share=0.0, amdahl_limit=1.0, cure=cures[code], message=message)

    @torch.no_grad()
    def _look(self, optimizer: Optimizer, *_: Any) -> None:
        if self._scene.is_forked:
            return
        self._updates += 1
        self._wholes.append([])
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            name = self._names.get(id(parameter), "a parameter of no root")
            if parameter.grad is None:
                self._missing[name] = self._missing.get(name, 0) + 1
            elif parameter.grad.layout is torch.strided:
                norm = parameter.grad.norm()
                self._norms.setdefault(name, []).append(norm)
                self._wholes[-1].append(norm)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
