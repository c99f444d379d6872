"""Every place where the host waits for a tensor's value or a size that depends on it: count a step, and line.

Two modes are needed. Dispatch sees what reaches the kernels, whoever called it, backward's own threads too; the
function mode sees the reads that never get there on the CPU (.cpu, .numpy, .tolist). An operation of the program is
one read, however many kernels of its insides read.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode  # pyright: ignore[reportPrivateUsage]
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from hotloop.diagnose.call_sites import Place, Sight
from hotloop.diagnose.host_reads import (
    CURES,
    code_of,
    dispatched_kind,
    function_kind,
    is_internal,
    names_the_host,
)
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_HOT = 0.5
_REPEATS = 20
_ENGINE = "_engine_run_backward"  # torch's own name for the way into its engine, and private: it may be gone


@dataclass(kw_only=True)
class _Line:
    """What was read at one line: by kind, in which steps, and a call of it to time again."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    codes: Counter[str] = field(default_factory=Counter[str])
    steps: set[int] = field(default_factory=set[int])
    seconds: float = 0.0
    again: dict[str, Callable[[], Any]] = field(default_factory=dict[str, Callable[[], Any]])


@dataclass(kw_only=True)
class _Open:
    """An operation of the program that is under way, and what it was seen to read."""

    kind: str | None
    inner: str | None = None
    tensor: Tensor | None = None


class Reads:
    """Host reads of a few steps."""

    name = "reads"

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.lines: dict[Place, _Line] = {}
        self.open_operations: list[_Open] = []
        self._steps = 0
        self._fetched: tuple[Place, int] | None = None
        self._dispatch = _Dispatch(self)
        self._functions = _Functions(self)
        self._engine: Any = getattr(torch.autograd, _ENGINE, None)

    def is_wanted(self) -> bool:
        """Always."""
        return True

    def open(self) -> None:
        """Enter both modes."""
        self._dispatch.__enter__()
        self._functions.__enter__()
        if self._engine is not None:
            setattr(torch.autograd, _ENGINE, self._run_backward)

    def step(self) -> None:
        """Another step begins."""
        self._steps += 1
        self.open_operations.clear()

    def close(self) -> None:
        """Leave both modes, and time the reads again without them."""
        if self._engine is not None:
            setattr(torch.autograd, _ENGINE, self._engine)
        self._functions.__exit__(None, None, None)
        self._dispatch.__exit__(None, None, None)
        for line in self.lines.values():
            if line.steps and not self.scene.is_on_cuda:
                line.seconds = sum(count * _seconds(line.again.get(kind)) for kind, count in line.kinds.items())
            line.again.clear()

    def report(self, step: StepTime) -> Report:
        """A finding for each line that reads in at least every second step."""
        hot = {place: line for place, line in self.lines.items() if len(line.steps) >= _HOT * self._steps}
        total = sum(count for line in hot.values() for count in line.kinds.values())
        data = {"steps": self._steps, "per_step": total / self._steps if self._steps else 0.0}
        findings = [self._finding(place, line, step) for place, line in hot.items()]
        return Report(findings=findings, data=data)

    def note(self, kind: str, sight: Sight, tensor: Tensor | None, seconds: float, call: "_Call") -> None:
        """One read."""
        place = sight.place
        if kind == "to(cpu)" and not names_the_host(place) and tensor is not None and tensor.device.type == "cpu":
            return  # .to(device) on a machine where that is the host: nothing is read anywhere
        if kind in ("numpy", "tolist", "array") and self._fetched == (place, id(tensor)):
            return  # the copy to the host was the read; this one only looks at it
        self._fetched = (place, id(tensor)) if kind in ("cpu", "to(cpu)") else None
        line = self.lines.setdefault(place, _Line())
        line.kinds[kind] += 1
        line.codes[code_of(kind, sight)] += 1
        line.steps.add(self._steps)
        line.seconds += seconds
        if kind not in line.again:
            line.again[kind] = call.again()

    def _run_backward(self, *args: Any, **kwargs: Any) -> Any:
        """Backward is a call that the function mode stands aside for; hooks inside of it are the program's own."""
        if _get_current_function_mode() is self._functions:
            return self._engine(*args, **kwargs)
        with self._functions:
            return self._engine(*args, **kwargs)

    def _finding(self, place: Place, line: _Line, step: StepTime) -> Finding:
        count = sum(line.kinds.values())
        per_step = count / self._steps
        seconds = line.seconds / self._steps
        share = step.share(seconds)
        code = self._code(line, per_step)
        kinds = ", ".join(
            f"{kind}{f' x{number}' if number > self._steps else ''}" for kind, number in line.kinds.items()
        )
        return Finding(
            code=code,
            path=place.path,
            line=place.line,
            per_step=per_step,
            share=share,
            amdahl_limit=bound(share),
            cure=CURES[code],
            message=f"the host reads {kinds} {per_step:.3g} times a step, {1e3 * seconds:.3g} ms or {share:.2%} of it",
            evidence={"read_ms": 1e3 * seconds, "kinds": kinds},
        )

    def _code(self, line: _Line, per_step: float) -> str:
        code = line.codes.most_common(1)[0][0]
        if code == "SY01" and per_step >= 4 and per_step == self.scene.num_parameters:
            return "SY07"
        return "SY05" if code == "SY01" and per_step >= 8 else code


class _Functions(TorchFunctionMode):
    """What the program calls by name."""

    def __init__(self, reads: Reads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        reads = self._reads
        if reads.scene.is_forked:
            return func(*args, **kwargs)
        if getattr(func, "__name__", "") in ("backward", "grad"):  # what runs in there is the program's own
            return func(*args, **kwargs)
        operation = _Open(kind=function_kind(func, args, kwargs))
        reads.open_operations.append(operation)
        began = time.perf_counter()
        try:
            result = func(*args, **kwargs)
        finally:
            if reads.open_operations and reads.open_operations[-1] is operation:
                reads.open_operations.pop()
        seconds = time.perf_counter() - began
        kind = operation.kind or operation.inner
        if kind is not None and not reads.scene.fetching:
            sight = reads.scene.places.look()
            tensor = next((arg for arg in args if isinstance(arg, Tensor)), None)
            if not is_internal(sight, operation.tensor if operation.tensor is not None else tensor):
                reads.note(kind, sight, tensor, seconds, _Call(func, args, kwargs))
        return result


class _Dispatch(TorchDispatchMode):
    """What reaches the kernels."""

    def __init__(self, reads: Reads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        reads = self._reads
        kind = None if reads.scene.is_forked else dispatched_kind(func, args, kwargs)
        if kind is None:
            return func(*args, **kwargs)
        tensor = next((arg for arg in args if isinstance(arg, Tensor)), None)
        if reads.open_operations:
            operation = reads.open_operations[-1]
            operation.inner, operation.tensor = operation.inner or kind, tensor
            return func(*args, **kwargs)
        began = time.perf_counter()
        result = func(*args, **kwargs)
        seconds = time.perf_counter() - began
        if not reads.scene.fetching:
            sight = reads.scene.places.look()
            if not is_internal(sight, tensor):
                reads.note(kind, sight, tensor, seconds, _Call(func, args, kwargs))
        return result


class _Call(NamedTuple):
    func: Any
    args: Any
    kwargs: Any

    def again(self) -> Callable[[], Any]:
        """The same call on copies of what it was given, to be timed later."""
        func = self.func
        with torch.no_grad():
            args, kwargs = tree_map(_copy, (self.args, self.kwargs))
        return lambda: func(*args, **kwargs)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _seconds(call: Callable[[], Any] | None) -> float:
    """Seconds of one read, without spies: the median of a few."""
    if call is None:
        return 0.0
    times: list[float] = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for _ in range(_REPEATS):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2]
