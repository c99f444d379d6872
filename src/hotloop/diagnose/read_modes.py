"""The modes of torch under which every host read is seen.

Two modes are needed. Dispatch sees what reaches the kernels, whoever called it, backward's own threads too; the
function mode sees the reads that never get there on the CPU (.cpu, .numpy, .tolist). An operation of the program is
one read, however many kernels inside of it read.
"""

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode  # pyright: ignore[reportPrivateUsage]
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from hotloop.diagnose.call_sites import CallSite
from hotloop.diagnose.host_reads import dispatched_kind, function_kind
from hotloop.diagnose.trace_context import TraceContext
from hotloop.workloads.patched import patched

# Code of torch's own that reads numbers which live on the host by design: step counters, permutations, seeds.
_INTERNAL = ("/torch/optim/", "/torch/utils/data/", "/torch/random.py")
_ENGINE = "_engine_run_backward"  # torch's own name for the way into its engine, and private: it may be gone


class ReadCall(NamedTuple):
    """The call that read, with what it was given."""

    func: Any
    args: Any
    kwargs: Any

    @property
    def tensor(self) -> Tensor | None:
        """What was read."""
        return next((arg for arg in self.args if isinstance(arg, Tensor)), None)

    def again(self) -> Callable[[], Any]:
        """The same call on copies of what it was given, to be timed later."""
        func = self.func
        with torch.no_grad():
            args, kwargs = tree_map(_copy, (self.args, self.kwargs))
        return lambda: func(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class SeenRead:
    """One host read: of which kind, where, by which call, and the seconds that it took."""

    kind: str
    site: CallSite
    call: ReadCall
    seconds: float


@dataclass(kw_only=True)
class _Operation:
    """An operation of the program that is under way, and what it was seen to read inside."""

    kind: str | None
    inner: str | None = None
    tensor: Tensor | None = None


class ReadModes:
    """Both modes; `note` is called with each read that is the program's own."""

    def __init__(self, context: TraceContext, note: Callable[[SeenRead], None]) -> None:
        self.operations: list[_Operation] = []
        self.context = context
        self._note = note

    @contextmanager
    def active(self) -> Generator[None]:
        """See every read."""
        with _DispatchMode(self), _FunctionMode(self) as functions, _in_backward(functions):
            yield

    def read(self, kind: str, call: ReadCall, seconds: float, *, inner: Tensor | None = None) -> None:
        """A call has read; `inner` is the tensor that a kernel inside of it read."""
        if self.context.fetch_depth:
            return
        site = self.context.call_sites.current()
        tensor = call.tensor if inner is None else inner
        if not site.passes(*_INTERNAL) or (tensor is not None and tensor.device.type != "cpu"):
            self._note(SeenRead(kind, site, call, seconds))


class _FunctionMode(TorchFunctionMode):
    """What the program calls by name."""

    def __init__(self, modes: ReadModes) -> None:
        super().__init__()
        self._modes = modes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # What runs inside of a backward pass is the program's own.
        if self._modes.context.is_forked or getattr(func, "__name__", "") in ("backward", "grad"):
            return func(*args, **kwargs)
        operations = self._modes.operations
        operation = _Operation(kind=function_kind(func, args, kwargs))
        operations.append(operation)
        began = time.perf_counter()
        try:
            result = func(*args, **kwargs)
        finally:
            if operations and operations[-1] is operation:
                operations.pop()
        seconds = time.perf_counter() - began
        if (kind := operation.kind or operation.inner) is not None:
            self._modes.read(kind, ReadCall(func, args, kwargs), seconds, inner=operation.tensor)
        return result


class _DispatchMode(TorchDispatchMode):
    """What reaches the kernels."""

    def __init__(self, modes: ReadModes) -> None:
        super().__init__()
        self._modes = modes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        kind = None if self._modes.context.is_forked else dispatched_kind(func, args, kwargs)
        if kind is None:
            return func(*args, **kwargs)
        call = ReadCall(func, args, kwargs)
        if self._modes.operations:
            operation = self._modes.operations[-1]
            operation.inner, operation.tensor = operation.inner or kind, call.tensor
            return func(*args, **kwargs)
        began = time.perf_counter()
        result = func(*args, **kwargs)
        self._modes.read(kind, call, time.perf_counter() - began)
        return result


def _in_backward(functions: _FunctionMode) -> AbstractContextManager[None]:
    """Backward is a call that the function mode steps aside for; hooks inside of it are the program's own."""
    engine = getattr(torch.autograd, _ENGINE, None)
    if engine is None:
        return nullcontext()

    def run_backward(*args: Any, **kwargs: Any) -> Any:
        with nullcontext() if _get_current_function_mode() is functions else functions:
            return engine(*args, **kwargs)

    return patched(torch.autograd, _ENGINE, run_backward)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value
