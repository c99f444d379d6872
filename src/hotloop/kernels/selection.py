"""Which implementation of the kernels is in use, and why."""

import contextlib
import os
import threading
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Backend = Literal["auto", "torch"]


@dataclass(frozen=True, kw_only=True)
class Status:
    """What runs the kernels for fp32 tensors on the CPU: "native" (C++) or "torch"; `reason` says why."""

    cpu: Literal["native", "torch"]
    reason: str
    library: Path | None = None


class _Selection:
    """What is in use in this process; the library is loaded at most once, at the first call that can use it.

    `native` is None until that is decided. It is a plain attribute, so that torch.compile guards on it.
    """

    def __init__(self) -> None:
        self.is_asked_for_torch = os.environ.get("HOTLOOP_KERNELS") == "torch"
        self.native: bool | None = False if self.is_asked_for_torch else None
        self._loaded: Status | None = None
        self._lock = threading.Lock()

    def load(self) -> Status:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load()
        return self._loaded


_SELECTION = _Selection()


def status() -> Status:
    """What is in use for fp32 on the CPU. The first call compiles the kernels where this machine has none yet."""
    if _SELECTION.is_asked_for_torch:
        return Status(cpu="torch", reason="asked for, by HOTLOOP_KERNELS=torch or prefer('torch')")
    return _SELECTION.load()


def allows_compiled() -> bool:
    """Whether anything but pure torch may be used; compiles and loads nothing."""
    return not _SELECTION.is_asked_for_torch


def is_native() -> bool:
    """Whether fp32 tensors on the CPU go to the compiled kernels."""
    native = _SELECTION.native
    return _decide() if native is None else native


@contextlib.contextmanager
def prefer(backend: Backend) -> Generator[None]:
    """Runs what is inside, in every thread, with pure torch ("torch") or with the fastest there is ("auto").

    Raises ValueError for another word.
    """
    if backend not in ("auto", "torch"):
        raise ValueError(f"got {backend!r}; choose 'auto' or 'torch'")
    before = _SELECTION.native, _SELECTION.is_asked_for_torch
    is_asked = backend == "torch"
    _SELECTION.native, _SELECTION.is_asked_for_torch = (False if is_asked else None), is_asked
    try:
        yield
    finally:
        _SELECTION.native, _SELECTION.is_asked_for_torch = before


def _decide() -> bool:
    native = _SELECTION.load().cpu == "native"
    _SELECTION.native = native
    return native


# What torch.compiler.assume_constant_result does, without its import of torch._dynamo: a second in every short fit.
vars(_decide)["_dynamo_marked_constant"] = True


def _load() -> Status:
    from hotloop.kernels.build import BuildError, built_library
    from hotloop.kernels.operators import load_operators

    try:
        library = built_library()
        load_operators(library)
    except BuildError as error:
        warnings.warn(
            f"sine and norm run in pure torch, which is slower: {error}; or set HOTLOOP_KERNELS=torch to choose this",
            RuntimeWarning,
            stacklevel=2,
        )
        return Status(cpu="torch", reason=str(error))
    return Status(cpu="native", reason="compiled for this machine", library=library)
