"""What Dynamo has done in this process so far: graphs, graph breaks, seconds of compiling, recompiles as they come.

All of it is read from what torch keeps for TORCH_LOGS and torch._dynamo.explain; a program that never compiles does not
import Dynamo for it.
"""

import logging
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch

from hotloop.diagnose.call_sites import CallSites, SourceLine

_RECOMPILES = "torch._dynamo.guards.__recompiles"  # the logger that TORCH_LOGS=recompiles switches on
_RECOMPILED = re.compile(r"Recompiling function (?P<name>\S+) in (?P<path>.+):(?P<line>\d+)")


def num_graphs() -> int:
    """Graphs compiled."""
    utils = sys.modules.get("torch._dynamo.utils")
    return 0 if utils is None else int(utils.counters["stats"]["unique_graphs"])


def compile_seconds() -> float:
    """Seconds spent compiling."""
    utils = sys.modules.get("torch._dynamo.utils")
    times = getattr(utils, "compilation_time_metrics", {})
    return float(sum(times.get("_compile.compile_inner", ())))


def graph_breaks(call_sites: CallSites) -> list[tuple[SourceLine, str]]:
    """The user's line of each graph break, with its reason."""
    utils = sys.modules.get("torch._dynamo.utils")
    found: dict[tuple[SourceLine, str], None] = {}
    for entry in getattr(utils, "graph_break_reasons", []):
        if getattr(entry, "graph_break", False) and entry.user_stack:
            frame = next((f for f in reversed(entry.user_stack) if call_sites.is_users(f.filename)), None)
            frame = frame or entry.user_stack[-1]
            at = SourceLine(call_sites.original(frame.filename), frame.lineno)
            found[at, str(entry.reason).splitlines()[0]] = None
    return list(found)


def has_entries(code: Any) -> bool:
    """Whether anything was compiled for this code object; True where Dynamo cannot be asked."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    entries = getattr(frames, "_debug_get_cache_entry_list", None)
    return True if entries is None else bool(entries(code))


@contextmanager
def listening_for_recompiles(call_sites: CallSites, on_recompile: Callable[[SourceLine, str], None]) -> Generator[None]:
    """`on_recompile` is called with the line and the failed guard of each recompile."""
    listener = _Listener(call_sites, on_recompile)
    logging.getLogger(_RECOMPILES).addHandler(listener)
    torch._logging.set_logs(recompiles=True)  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        logging.getLogger(_RECOMPILES).removeHandler(listener)


class _Listener(logging.Handler):
    def __init__(self, call_sites: CallSites, on_recompile: Callable[[SourceLine, str], None]) -> None:
        super().__init__()
        self._call_sites, self._on_recompile = call_sites, on_recompile

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        found = _RECOMPILED.search(message)
        if found is not None:
            guards = (line.strip(" -") for line in message.splitlines() if line.strip().startswith("- "))
            self._on_recompile(
                SourceLine(self._call_sites.original(found["path"]), int(found["line"])), next(guards, "")
            )
