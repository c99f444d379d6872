"""`hotloop bench` and its verbs for Python: the absolute picture of a model or a workload on this machine."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotloop.bench.live_parts import benchmark_model as benchmark_model
    from hotloop.bench.live_parts import benchmark_training_step as benchmark_training_step
    from hotloop.bench.side_by_side import compare as compare

_HOME = {
    "benchmark_model": "hotloop.bench.live_parts",
    "benchmark_training_step": "hotloop.bench.live_parts",
    "compare": "hotloop.bench.side_by_side",
}

__all__ = ["benchmark_model", "benchmark_training_step", "compare"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hotloop.bench' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
