"""The folder in which hotloop keeps what it can make again: built kernels, compiled code."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """`name` in $HOTLOOP_CACHE, else in hotloop/ of $XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get("HOTLOOP_CACHE")
    if chosen:
        return Path(chosen) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hotloop" / name
