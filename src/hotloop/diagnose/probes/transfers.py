"""Copies to an accelerator that do only half of what lets them overlap with the host's work."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_HOT = 0.5
ACCELERATORS = ("cuda", "xpu")  # those that copy from pinned memory by themselves
_MOVES = (Tensor.to, Tensor.cuda, Tensor.xpu)
_CURES = {
    "unpinned": "give the loader pin_memory=True: only then does non_blocking=True do anything",
    "blocking": "say non_blocking=True: the memory is pinned already",
}
_SAID = {
    "unpinned": "is copied with non_blocking=True from memory that is not pinned, so the host waits all the same",
    "blocking": "is copied from pinned memory without non_blocking=True, so the host waits",
}


@dataclass(frozen=True, kw_only=True)
class Copy:
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
class _Line:
    faults: Counter[str] = field(default_factory=Counter[str])
    steps: set[int] = field(default_factory=set[int])
    seconds: float = 0.0
    size: int = 0


class Transfers:
    """Sees `.to`, `.cuda`, `.xpu` and `.copy_`, and asks what they copied from whether it is pinned."""

    name = "transfers"

    def __init__(self, scene: Scene, *, accelerators: tuple[str, ...] = ACCELERATORS) -> None:
        self.scene = scene
        self.accelerators = accelerators
        self._mode = _Moves(self)
        self._lines: dict[Place, _Line] = {}
        self._steps = 0

    def is_wanted(self) -> bool:
        """Where a root lives on an accelerator."""
        devices = {p.device.type for root in self.scene.roots for p in root.parameters()}
        return not devices.isdisjoint(self.accelerators)

    def open(self) -> None:
        """Enter the mode."""
        self._mode.__enter__()

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1

    def close(self) -> None:
        """Leave the mode."""
        self._mode.__exit__(None, None, None)

    def note(self, copy: Copy, size: int, seconds: float) -> None:
        """One copy of so many bytes, and how long the host took for it."""
        fault = copy.fault(self.accelerators)
        if fault is None:
            return
        line = self._lines.setdefault(self.scene.places.look().place, _Line())
        line.faults[fault] += 1
        line.steps.add(self._steps)
        line.seconds += seconds
        line.size += size

    def report(self, step: StepTime) -> Report:
        """A finding for each line that does so in at least every second step."""
        hot = {place: line for place, line in self._lines.items() if len(line.steps) >= _HOT * self._steps}
        return Report(
            findings=[self._finding(place, line, step) for place, line in hot.items()],
            data={"steps": self._steps, "lines": len(self._lines)},
        )

    def _finding(self, place: Place, line: _Line, step: StepTime) -> Finding:
        fault = line.faults.most_common(1)[0][0]
        share = step.share(line.seconds / self._steps)
        size = line.size / self._steps
        return Finding(
            code="SY09",
            path=place.path,
            line=place.line,
            per_step=line.faults.total() / self._steps,
            share=share,
            amdahl_limit=bound(share),
            cure=_CURES[fault],
            message=f"{size / 2**20:.3g} MiB a step {_SAID[fault]}: {share:.1%} of a step",
            evidence={"fault": fault, "bytes": size, "ms": 1e3 * line.seconds / self._steps},
        )


class _Moves(TorchFunctionMode):
    def __init__(self, transfers: Transfers) -> None:
        super().__init__()
        self._transfers = transfers

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        scene = self._transfers.scene
        if scene.is_forked or not (func in _MOVES or func is Tensor.copy_):
            return func(*args, **kwargs)
        began = time.perf_counter()
        result = func(*args, **kwargs)
        seconds = time.perf_counter() - began
        source = args[0] if func in _MOVES else kwargs.get("src", args[1] if len(args) > 1 else None)
        if isinstance(source, Tensor) and result.device != source.device and not scene.fetching:
            self._transfers.note(_copy(source, result, args, kwargs), source.numel() * source.element_size(), seconds)
        return result


def _copy(source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Copy:
    """In all of these methods `non_blocking` is the first argument that can be a bool."""
    given = next((value for value in args if isinstance(value, bool)), False)
    return Copy(
        source=source.device.type,
        target=result.device.type,
        is_pinned=source.device.type == "cpu" and source.layout is torch.strided and source.is_pinned(),
        non_blocking=bool(kwargs.get("non_blocking", given)),
    )
