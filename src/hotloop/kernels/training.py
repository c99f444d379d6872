"""Residual networks whole, forward and backward, for training loops on one CPU thread, where they can be compiled."""

import threading
import warnings
from functools import cache
from typing import Any

import torch

from hotloop.kernels.build import BuildError, built_library
from hotloop.kernels.selection import is_native

SOURCES = ("training.cpp", "winograd.h", "gemm.h", "update.h", "passes.h", "rows.h", "simd.h")
LANES = 16  # hidden units must be a multiple of this
_LOCK = threading.Lock()


def training_operators() -> Any | None:
    """torch.ops.hotloop with `training_forward`, `training_backward` and the room they need.

    None where compiled kernels are not in use; the first call compiles them where this machine has none yet.
    """
    if not is_native():
        return None
    with _LOCK:
        return torch.ops.hotloop if _is_loaded() else None


@cache
def _is_loaded() -> bool:
    try:
        library = built_library(SOURCES)
        torch.ops.load_library(str(library))
    except (BuildError, OSError) as error:
        warnings.warn(
            f"networks train layer by layer, which is slower: {error}; or set HOTLOOP_KERNELS=torch to choose this",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True
