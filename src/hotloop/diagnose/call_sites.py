"""Which line of the user's own program is at work: the first frame outside torch, under its original path."""

import dis
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

_PACKAGE = Path(__file__).parents[1]
# What runs on the way from a tensor's method to a spy, and says nothing about who called it.
_PLUMBING = (
    str(Path(torch.__file__).parent / "_dynamo" / "eval_frame.py"),
    str(Path(torch.__file__).parent / "overrides.py"),
    str(Path(torch.__file__).parent / "utils" / "_python_dispatch.py"),
    str(_PACKAGE / "diagnose") + os.sep,
    str(_PACKAGE / "workloads" / "hooks.py"),
)
_TESTS = ("POP_JUMP", "JUMP_IF", "UNARY_NOT", "TO_BOOL")


class Place(NamedTuple):
    """A line of a file, under the path that the user knows."""

    path: str
    line: int


NOWHERE = Place("", 0)


@dataclass(frozen=True, slots=True)
class Sight:
    """Who is at work: the user's line, the torch and library frames below it, innermost first, as (file, function).

    `is_test` says whether the user's own bytecode is about to branch on the value.
    """

    place: Place
    way: tuple[tuple[str, str], ...] = ()
    is_test: bool = False

    def passes(self, *parts: str) -> bool:
        """Whether a frame below the user's lies in a file whose path holds one of these."""
        return any(part in file for file, _ in self.way for part in parts)

    def calls(self, *names: str) -> bool:
        """Whether a frame below the user's runs a function of one of these names."""
        return any(function in names for _, function in self.way)


class Places:
    """Finds the user's line; files of the scratch copy are told under the names of the originals."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._library = _library_folders()
        self._kinds: dict[str, int] = {}
        self._originals: dict[str, str] = {}
        self._main = threading.main_thread().ident

    def look(self) -> Sight:
        """Who called; a thread of the autograd engine stands for the line where the main thread waits for it."""
        way: list[tuple[str, str]] = []
        found = self._walk(sys._getframe(1), way)  # pyright: ignore[reportPrivateUsage]
        if found is None and threading.get_ident() != self._main and self._main is not None:
            found = self._walk(sys._current_frames().get(self._main), way)  # pyright: ignore[reportPrivateUsage]
        if found is None:
            return Sight(NOWHERE, tuple(way))
        return Sight(Place(self.original(found.f_code.co_filename), found.f_lineno), tuple(way), _is_test(found))

    def original(self, file: str) -> str:
        """The user's own path of a file, relative to nothing."""
        if file not in self._originals:
            self._originals[file] = str(self.scratch.original_of(Path(file)))
        return self._originals[file]

    def is_own(self, file: str) -> bool:
        """Whether a file is the program's: neither torch, nor the standard library, nor a spy."""
        return self._kind(file) == 0

    def _walk(self, frame: FrameType | None, way: list[tuple[str, str]]) -> FrameType | None:
        while frame is not None:
            code = frame.f_code
            kind = self._kind(code.co_filename)
            if kind == 0:
                return frame
            if kind == 1:
                way.append((code.co_filename, code.co_name))
            frame = frame.f_back
        return None

    def _kind(self, file: str) -> int:
        """0 for the program's own, 1 for torch and libraries, 2 for plumbing."""
        kind = self._kinds.get(file)
        if kind is None:
            is_library = file.startswith("<") or (file.startswith(self._library) and "-packages" + os.sep not in file)
            is_torch = file.startswith((_folder(torch), _folder(numpy)))
            kind = 2 if file.startswith(_PLUMBING) else int(is_library or is_torch)
            self._kinds[file] = kind
        return kind


def _folder(package: object) -> str:
    return str(Path(str(getattr(package, "__file__", ""))).parent) + os.sep


def _library_folders() -> tuple[str, ...]:
    own = (str(_PACKAGE / "worker"), str(_PACKAGE / "workloads" / "program.py"))
    return (*(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")), *own)


def _is_test(frame: FrameType) -> bool:
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith(_TESTS)
