"""The height of live tensors over a step, and the module that was at work when it was greatest."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.module_hooks import around
from hotloop.diagnose.trace_context import Report, Scene, StepTime

_POINTS = 200


class Memory:
    """Follows every storage that an operator makes until it dies."""

    name = "memory"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._mode = _Following(self)
        self._removals: list[Callable[[], None]] = []
        self._stack: list[str] = []
        self._live = 0
        self._known: set[int] = set()
        self._timeline: list[int] = []
        self.peak = 0
        self._peak_module = ""
        self._peak_place: Place | None = None

    def is_wanted(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Count what lives already (weights, gradients, state of optimizers), then follow what is made."""
        for tensor in self._standing():
            self._add(tensor)
        for root in self.scene.roots:
            for name, module in root.named_modules():
                if not isinstance(module, torch.jit.ScriptModule):
                    title = f"{type(root).__name__}.{name}".rstrip(".")
                    self._removals.extend(around(module, partial(self._enter, title), self._leave))
        self._mode.__enter__()

    def step(self) -> None:
        """Nothing: the timeline runs over all steps of the window."""

    def close(self) -> None:
        """Leave the mode and take the hooks away."""
        self._mode.__exit__(None, None, None)
        for remove in self._removals:
            remove()

    def note(self, result: Any) -> None:
        """An operator has made these."""
        for value in tree_iter(result):
            if isinstance(value, Tensor) and self._add(value) and self._live > self.peak:
                self.peak = self._live
                self._peak_module = self._stack[-1] if self._stack else ""
                self._peak_place = self.scene.places.look().place
        self._timeline.append(self._live)

    def report(self, step: StepTime) -> Report:
        """Peak in bytes, its owner, and the timeline in at most 200 points."""
        place = self._peak_place
        stride = max(1, len(self._timeline) // _POINTS)
        return Report(
            data={
                "peak": self.peak,
                "standing": self._timeline[0] if self._timeline else 0,
                "module": self._peak_module,
                "path": place.path if place else "",
                "line": place.line if place else 0,
                "timeline": [max(self._timeline[i : i + stride]) for i in range(0, len(self._timeline), stride)],
            }
        )

    def _standing(self) -> list[Tensor]:
        found: list[Tensor] = []
        for root in self.scene.roots:
            found += [*root.parameters(), *root.buffers()]
            found += [p.grad for p in root.parameters() if p.grad is not None]
        for optimizer in self.scene.optimizers:
            found += [value for value in tree_iter(list(optimizer.state.values())) if isinstance(value, Tensor)]
        return found

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
        weakref.finalize(storage, self._gone, key, size).atexit = False
        return True

    def _enter(self, title: str, _module: nn.Module) -> None:
        self._stack.append(title)

    def _leave(self) -> None:
        if self._stack:
            self._stack.pop()

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size


class _Following(TorchDispatchMode):
    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self._memory = memory

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._memory.scene.is_forked:
            self._memory.note(result)
        return result
