"""Stops a trial that would change or delete a file that existed before it, by an audit hook in the worker.

Python raises an audit event before it opens, removes or renames; torch.save opens its file from C++, so that an event
is raised for it here. Caches and what the trial made itself may be written; what it made outside of its scratch copy is
listed, so that the session's other trials may write it too and the report can name it.
"""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hotloop.workloads.scratch import Scratch

Stop = Callable[[str], NoReturn]
MADE = "made-outside"


def protect(scratch: Scratch, *, caches: tuple[Path, ...], made: Path, stop: Stop) -> None:
    """Install the hook for the rest of this process; `stop` receives the reason and must not return.

    `made` is the list of what trials of this session made outside of their scratch copies.
    """
    guard = WriteGuard(scratch, caches=caches, made=Made(made), stop=stop)
    sys.addaudithook(guard.audit)
    announce_torch_writes()


class Made:
    """Paths that trials of one session made outside of their scratch copies, in a file that all of them append to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, place: str) -> None:
        """One path more."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "ab") as listed:
            listed.write(os.fsencode(place) + b"\0")

    def places(self) -> list[str]:
        """All paths, oldest first."""
        listed = self._path.read_bytes().split(b"\0") if self._path.exists() else []
        return [os.fsdecode(place) for place in listed if place]

    def remaining(self) -> list[str]:
        """Those files that are still there; folders are not told."""
        return [place for place in dict.fromkeys(self.places()) if os.path.isfile(place)]


class WriteGuard:
    def __init__(self, scratch: Scratch, *, caches: tuple[Path, ...], made: Made, stop: Stop) -> None:
        self._scratch = scratch
        self._made = made
        self._private = os.path.realpath(scratch.folder) + os.sep
        self._caches = tuple(str(path) + os.sep for path in (*caches, Path("/dev"), Path("/proc")))
        self._own: set[str] = set()
        self._own_folders: tuple[str, ...] = ()
        self._stop = stop
        self._is_checking = False

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.mkdir":
            self._note_folder(_at(args[0], args[2]))
        check = _CHECKS.get(event)
        if check is None or self._is_checking:
            return
        self._is_checking = True  # our own look at the file raises events too
        try:
            for action, path in check(args):
                self._look(action, path)
        finally:
            self._is_checking = False

    def _note_folder(self, path: str) -> None:
        """What the trial puts into a folder of its own making, from C++ or a subprocess too, is its own."""
        place = os.path.abspath(path)
        if not os.path.lexists(place) and not self._is_checking:
            self._own_folders += (place + os.sep,)
            self._list(place)

    def _look(self, action: str, path: str) -> None:
        place = os.path.abspath(path)
        if action == "write" and os.path.isdir(place):  # tempfile opens the folder, and a file in it in its stead
            return
        if place in self._own or (place + os.sep).startswith((*self._caches, *self._own_folders)):
            return
        original = str(self._scratch.original_of(Path(place)))
        if self._scratch.is_writable(Path(original)) and self._is_private(place):
            return
        real = os.path.realpath(original)
        if not (os.path.lexists(original) and _is_regular(original)):
            self._own.update((place, real))
            self._list(place)
        elif real not in self._own and not real.startswith(self._caches) and real not in self._made.places():
            self._stop(f"the trial would {action} {original}, which existed before it; {self._cure(place, original)}")

    def _is_private(self, place: str) -> bool:
        """Whether a path leads into the scratch copy, and not through a link out of it."""
        return os.path.realpath(place).startswith(self._private)

    def _cure(self, place: str, original: str) -> str:
        if self._scratch.is_writable(Path(original)):
            return "a private copy is made of files inside the script's folder only: write it there by a relative path"
        name = os.path.basename(original)
        return f"trials may not touch your files: move it away, or allow a private copy with --may-overwrite '{name}'"

    def _list(self, place: str) -> None:
        if self._is_private(place):
            return
        outer, self._is_checking = self._is_checking, True
        try:
            self._made.add(os.path.realpath(place))
        finally:
            self._is_checking = outer


def _is_regular(path: str) -> bool:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode) and os.path.exists(path):
        mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)


def _opened(args: tuple[Any, ...]) -> list[tuple[str, str]]:
    path, _mode, flags = args
    if isinstance(path, int) or not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR):
        return []
    return [("write", os.fsdecode(path))]


def _at(path: Any, folder: Any) -> str:
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    name = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(name):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return name


def _removed(args: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [("delete", _at(args[0], args[1]))]


def _renamed(args: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [("move", _at(args[0], args[2])), ("replace", _at(args[1], args[3]))]


def _truncated(args: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [] if isinstance(args[0], int) else [("truncate", os.fsdecode(args[0]))]


_CHECKS: dict[str, Callable[[tuple[Any, ...]], list[tuple[str, str]]]] = {
    "open": _opened,
    "os.remove": _removed,
    "os.rmdir": _removed,
    "os.rename": _renamed,
    "os.truncate": _truncated,
}


def announce_torch_writes() -> None:
    import torch

    original = torch.save

    def save(obj: object, f: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(f, (str, os.PathLike)):
            sys.audit("open", os.fspath(f), "wb", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        original(obj, f, *args, **kwargs)

    save.__doc__ = original.__doc__
    torch.save = torch.serialization.save = save
