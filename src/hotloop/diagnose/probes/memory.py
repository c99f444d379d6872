"""The memory of live tensors over a step, and the module that was at work at the peak."""

import weakref
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_iter

from hotloop.diagnose.call_sites import NOWHERE
from hotloop.diagnose.dispatch_observer import DispatchObserver
from hotloop.diagnose.module_hooks import hook_calls
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext

_POINTS = 200


class MemoryProbe(Probe):
    """Follows every storage that an operator makes until it is freed."""

    name = "memory"
    window = StepWindow(order=80, steps=1, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._stack: list[str] = []
        self._live = 0
        self._known: set[int] = set()
        self._timeline: list[int] = []
        self._peak = 0
        self._peak_module = ""
        self._peak_line = NOWHERE

    @contextmanager
    def active(self) -> Generator[None]:
        """Count what lives already (weights, gradients, state of optimizers), then follow what is made."""
        for tensor in self._standing():
            self._add(tensor)
        with ExitStack() as stack:
            for root in self.context.roots:
                for name, module in root.named_modules():
                    if not isinstance(module, torch.jit.ScriptModule):
                        title = f"{type(root).__name__}.{name}".rstrip(".")
                        stack.callback(hook_calls(module, partial(self._enter, title), self._leave))
            with DispatchObserver(self.context, self._made):
                yield

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Peak in bytes, its owner, and the timeline in at most 200 points."""
        stride = max(1, len(self._timeline) // _POINTS)
        return ProbeReport(
            data={
                "peak": self._peak,
                "standing": self._timeline[0] if self._timeline else 0,
                "module": self._peak_module,
                "path": self._peak_line.path,
                "line": self._peak_line.line,
                "timeline": [max(self._timeline[i : i + stride]) for i in range(0, len(self._timeline), stride)],
            }
        )

    def _standing(self) -> list[Tensor]:
        found: list[Tensor] = []
        for root in self.context.roots:
            found += [*root.parameters(), *root.buffers()]
            found += [p.grad for p in root.parameters() if p.grad is not None]
        for optimizer in self.context.optimizers:
            found += [value for value in tree_iter(list(optimizer.state.values())) if isinstance(value, Tensor)]
        return found

    def _made(self, _func: Any, _args: Any, _kwargs: Any, result: Any, _seconds: float) -> None:
        for value in tree_iter(result):
            if isinstance(value, Tensor) and self._add(value) and self._live > self._peak:
                self._peak = self._live
                self._peak_module = self._stack[-1] if self._stack else ""
                self._peak_line = self.context.call_sites.current().source
        self._timeline.append(self._live)

    def _add(self, tensor: Tensor) -> bool:
        """Count a storage once for as long as it lives; whether it is new."""
        if tensor.layout is not torch.strided:
            return False
        storage = tensor.untyped_storage()
        key = storage._cdata  # pyright: ignore[reportPrivateUsage]
        if key in self._known:
            return False
        size = storage.nbytes()
        self._known.add(key)
        self._live += size
        weakref.finalize(storage, self._freed, key, size).atexit = False
        return True

    def _enter(self, title: str, _module: object) -> None:
        self._stack.append(title)

    def _leave(self) -> None:
        if self._stack:
            self._stack.pop()

    def _freed(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size
