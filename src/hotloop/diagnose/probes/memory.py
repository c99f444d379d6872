"""The memory of live tensors over a step: by what they hold, by module, and who was at work at the peak."""

from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import tree_iter

from hotloop.diagnose.call_sites import NOWHERE
from hotloop.diagnose.dispatch_observer import DispatchObserver
from hotloop.diagnose.live_storages import LiveStorages, SavedForBackward
from hotloop.diagnose.module_hooks import hook_calls
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext

_POINTS = 200


class MemoryProbe(Probe):
    """Follows every storage that an operator makes until it is freed; what autograd keeps of them is an activation."""

    name = "memory"
    window = StepWindow(order=80, steps=1, most=0.05)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._storages = LiveStorages()
        self._stack: list[str] = []
        self._activations: Counter[str] = Counter()
        self._standing = 0
        self._timeline: list[int] = []
        self._peak_module = ""
        self._peak_line = NOWHERE

    @contextmanager
    def active(self) -> Generator[None]:
        """Count what lives already (weights, gradients, state of optimizers), then follow what is made."""
        self._add_standing()
        self._standing = self._storages.total
        self._storages.note_peak()
        saved = SavedForBackward(self._saved)
        with ExitStack() as stack:
            for root in self.context.roots:
                for name, module in root.named_modules():
                    if not isinstance(module, torch.jit.ScriptModule):
                        title = f"{type(root).__name__}.{name}".rstrip(".")
                        stack.callback(hook_calls(module, partial(self._enter, title), self._leave))
            stack.enter_context(saved_tensors_hooks(saved.pack, saved.unpack))
            with DispatchObserver(self.context, self._made):
                yield

    def step(self) -> None:
        """Gradients and state that were made within the step get their names."""
        super().step()
        self._add_standing()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Bytes by category and module, the peak and its owner, and the timeline in at most 200 points."""
        stride = max(1, len(self._timeline) // _POINTS)
        storages = self._storages
        return ProbeReport(
            data={
                "peak": storages.peak,
                "standing": self._standing,
                "most": storages.most,
                "at_peak": storages.at_peak,
                "by_module": self._by_module(),
                "module": self._peak_module,
                "path": self._peak_line.path,
                "line": self._peak_line.line,
                "timeline": [max(self._timeline[i : i + stride]) for i in range(0, len(self._timeline), stride)],
            }
        )

    def _add_standing(self) -> None:
        add = partial(self._storages.add, is_moved=True)
        for root in self.context.roots:
            for buffer in root.buffers():
                add(buffer, "buffers")
            for parameter in root.parameters():
                self._add_parameter(parameter)
        for optimizer in self.context.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    self._add_parameter(parameter)
            for value in tree_iter(list(optimizer.state.values())):
                if isinstance(value, Tensor):
                    add(value, "optimizer")

    def _add_parameter(self, parameter: Tensor) -> None:
        self._storages.add(parameter, "parameters", is_moved=True)
        if parameter.grad is not None:
            self._storages.add(parameter.grad, "gradients", is_moved=True)

    def _made(self, func: Any, _args: Any, _kwargs: Any, result: Any, _seconds: float) -> None:
        for value in tree_iter(result):
            if isinstance(value, Tensor):
                self._storages.add(value, "temporaries")
        if self._storages.note_peak():
            self._peak_module = self._stack[-1] if self._stack else ""
            self._peak_line = self.context.call_sites.current().source
        self._timeline.append(self._storages.total)

    def _saved(self, tensor: Tensor) -> None:
        if self.context.is_forked or self._storages.category_of(tensor) not in ("", "temporaries"):
            return
        size = self._storages.add(tensor, "activations", is_moved=True)
        self._activations[self._stack[-1] if self._stack else ""] += size

    def _by_module(self) -> list[dict[str, Any]]:
        parameters = {
            f"{type(root).__name__}.{name}".rstrip("."): sum(p.nbytes for p in module.parameters(recurse=False))
            for root in self.context.roots
            for name, module in root.named_modules()
        }
        names = [
            name for name in {**parameters, **self._activations} if parameters.get(name) or self._activations[name]
        ]
        rows = [
            {"module": name, "parameters_bytes": parameters.get(name, 0), "activations_bytes": self._activations[name]}
            for name in names
        ]
        return sorted(rows, key=lambda row: -(row["parameters_bytes"] + row["activations_bytes"]))

    def _enter(self, title: str, _module: object) -> None:
        self._stack.append(title)

    def _leave(self) -> None:
        if self._stack:
            self._stack.pop()
