"""Casts between floating dtypes that the program makes itself, or that autocast makes twice for one weight."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch

from hotloop.diagnose.call_sites import CallSite, SourceLine
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import measured_finding
from hotloop.finding import Finding

_WORTH_REPORTING = 0.01


@dataclass(kw_only=True)
class _Casts:
    count: int = 0
    seconds: float = 0.0
    weights: Counter[int] = field(default_factory=Counter[int])
    kinds: set[str] = field(default_factory=set[str])


class CastCounts:
    """Casts by line; those of autocast itself count for weights alone."""

    def __init__(self) -> None:
        self._lines: dict[SourceLine, _Casts] = {}

    def note(self, site: CallSite, args: Any, kwargs: Any, seconds: float) -> None:
        """`aten._to_copy` has run."""
        tensor, dtype = args[0], kwargs.get("dtype")
        if dtype is None or dtype is tensor.dtype or not (dtype.is_floating_point and tensor.is_floating_point()):
            return
        is_upcast = tensor.dtype in (torch.bfloat16, torch.float16) and dtype is torch.float32
        is_weight = isinstance(tensor, torch.nn.Parameter)
        if not is_weight and (site.frames or not is_upcast):
            return  # one of autocast's own
        casts = self._lines.setdefault(site.source, _Casts())
        casts.count += 1
        casts.seconds += seconds
        casts.kinds.add(f"{tensor.dtype} to {dtype}".replace("torch.", ""))
        if is_weight:
            casts.weights[id(tensor)] += 1

    def findings(self, times: PhaseTimes, steps: int) -> list[Finding]:
        """A finding for each line that casts activations back to float32, or a weight more than once a step."""
        findings: list[Finding] = []
        for at, casts in self._lines.items():
            share = times.share(casts.seconds / steps)
            again = sum(count > steps for count in casts.weights.values())
            if share < _WORTH_REPORTING or (casts.weights and not again):
                continue
            message = f"{casts.count / steps:.3g} casts, {'; '.join(sorted(casts.kinds))}, {share:.1%}"
            code, cure = "DA10", "choose the dtype in one place"
            if again:
                message += f"; {again} weights are cast more than once a step"
                code, cure = "OP08", "leave autocast's cache on (cache_enabled=True)"
            per_step = casts.count / steps
            findings.append(measured_finding(at, code=code, per_step=per_step, share=share, cure=cure, message=message))
        return findings
