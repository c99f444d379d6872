"""Timing of operators: as the program runs them, and of one call by itself."""

import time
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.diagnose.trace_context import TraceContext


class DispatchObserver(TorchDispatchMode):
    """Calls `note` with func, args, kwargs, result and seconds of each operator; not in a forked process."""

    def __init__(self, context: TraceContext, note: Callable[[Any, Any, Any, Any, float], None]) -> None:
        super().__init__()
        self._context = context
        self._note = note

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        began = time.perf_counter()
        result = func(*args, **kwargs)
        if not self._context.is_forked:
            self._note(func, args, kwargs, result, time.perf_counter() - began)
        return result


def median_seconds(call: Callable[[], Any], *, repeats: int) -> float:
    """The median of the seconds that repeated calls take."""
    times: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return sorted(times)[repeats // 2]
