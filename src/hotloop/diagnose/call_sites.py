"""Call sites: the line of the user's own program that is at work, and the library frames between it and a probe."""

import dis
import functools
import os
import sys
import sysconfig
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import numpy
import torch

from hotloop.workloads.scratch import Scratch

_PROGRAM, _LIBRARY, _OWN = range(3)
_PACKAGE = Path(__file__).parents[1]
# Frames on the way from a tensor's method to a probe, which say nothing about who called it.
_OWN_FILES = (
    str(Path(torch.__file__).parent / "_dynamo" / "eval_frame.py"),
    str(Path(torch.__file__).parent / "overrides.py"),
    str(Path(torch.__file__).parent / "utils" / "_python_dispatch.py"),
    str(_PACKAGE / "diagnose") + os.sep,
    str(_PACKAGE / "workloads" / "hooks.py"),
)
_LIBRARY_FOLDERS = (
    *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")),
    str(_PACKAGE / "worker"),
    str(_PACKAGE / "workloads" / "program.py"),
)
_TENSOR_LIBRARIES = tuple(str(Path(str(package.__file__)).parent) + os.sep for package in (torch, numpy))
_BRANCHES = ("POP_JUMP", "JUMP_IF", "UNARY_NOT", "TO_BOOL")


class SourceLine(NamedTuple):
    """A line of a file, under the path that the user knows."""

    path: str
    line: int


NOWHERE = SourceLine("", 0)


@dataclass(frozen=True, slots=True)
class CallSite:
    """The user's line that is at work, and the frames of torch and libraries below it, innermost first.

    `frames` are (file, function). `is_branch` says whether the user's own bytecode is about to branch on the value.
    """

    source: SourceLine
    frames: tuple[tuple[str, str], ...] = ()
    is_branch: bool = False

    def passes(self, *parts: str) -> bool:
        """Whether a library frame lies in a file whose path contains one of these."""
        return any(part in file for file, _ in self.frames for part in parts)

    def calls(self, *names: str) -> bool:
        """Whether a library frame runs a function of one of these names."""
        return any(function in names for _, function in self.frames)


class CallSites:
    """Finds the user's line; files of the scratch copy are given under the names of the originals."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._originals: dict[str, str] = {}
        self._main = threading.main_thread().ident

    def current(self) -> CallSite:
        """The call site of the caller; for a thread of the autograd engine, where the main thread waits for it."""
        frames: list[tuple[str, str]] = []
        found = self._user_frame(sys._getframe(1), frames)  # pyright: ignore[reportPrivateUsage]
        if found is None and threading.get_ident() != self._main and self._main is not None:
            main = sys._current_frames().get(self._main)  # pyright: ignore[reportPrivateUsage]
            found = self._user_frame(main, frames)
        if found is None:
            return CallSite(NOWHERE, tuple(frames))
        source = SourceLine(self.original(found.f_code.co_filename), found.f_lineno)
        is_branch = dis.opname[found.f_code.co_code[found.f_lasti]].startswith(_BRANCHES)
        return CallSite(source, tuple(frames), is_branch)

    def original(self, file: str) -> str:
        """The user's own path of a file."""
        if file not in self._originals:
            self._originals[file] = str(self.scratch.original_of(Path(file)))
        return self._originals[file]

    def is_users(self, file: str) -> bool:
        """Whether a file is the program's: neither torch, nor the standard library, nor ours."""
        return _kind(file) == _PROGRAM

    def _user_frame(self, frame: FrameType | None, frames: list[tuple[str, str]]) -> FrameType | None:
        while frame is not None:
            code = frame.f_code
            kind = _kind(code.co_filename)
            if kind == _PROGRAM:
                return frame
            if kind == _LIBRARY:
                frames.append((code.co_filename, code.co_name))
            frame = frame.f_back
        return None


@functools.cache
def _kind(file: str) -> int:
    if file.startswith(_OWN_FILES):
        return _OWN
    is_library = file.startswith(_LIBRARY_FOLDERS) and "-packages" + os.sep not in file
    return _LIBRARY if is_library or file.startswith(("<", *_TENSOR_LIBRARIES)) else _PROGRAM
