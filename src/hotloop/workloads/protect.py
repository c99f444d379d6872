"""Stops a trial that would change or delete a file that existed before it, by an audit hook in the worker.

Python raises an audit event before it opens, removes or renames; torch.save opens its file from C++, so that an event
is raised for it here. Caches and files that the trial made itself may be written; those that it made outside of its
scratch copy are listed, and the warden removes them when the trial has ended. What a program makes from C or Rust, or
in processes that it does not fork, is seen only inside of folders that it made itself.
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
LEFT = "left"


def protect(scratch: Scratch, *, caches: tuple[Path, ...], made: "Made", stop: Stop) -> None:
    """Install the hook for the rest of this process; `stop` receives the reason and must not return."""
    sys.addaudithook(WriteGuard(scratch, caches=caches, made=made, stop=stop).audit)
    announce_torch_writes()


class Made:
    """Paths that one trial made outside of its scratch copy, in a file of `folder` that is there while the trial lives.

    Others that live have theirs beside it. What the warden could not remove afterwards is listed under `LEFT`.
    """

    def __init__(self, folder: Path, trial: str) -> None:
        self.list = folder / trial

    def begin(self) -> None:
        """From now on the trial lives."""
        self.list.parent.mkdir(parents=True, exist_ok=True)
        self.list.touch()

    def add(self, path: str) -> None:
        """List one path more."""
        self.begin()
        with open(self.list, "ab") as listed:
            listed.write(os.fsencode(path) + b"\0")

    def is_any(self) -> bool:
        """Whether the trial has made something."""
        return bool(_paths(self.list))

    def is_shared(self) -> bool:
        """Whether another trial that lives has made something of the same name."""
        lists = self.list.parent.iterdir() if self.list.parent.is_dir() else ()
        others = {path for listed in lists if listed.name not in (LEFT, self.list.name) for path in _paths(listed)}
        return not others.isdisjoint(_paths(self.list))

    def of_living(self) -> set[str]:
        """The paths of all trials that live, this one among them."""
        lists = self.list.parent.iterdir() if self.list.parent.is_dir() else ()
        return {path for listed in lists if listed.name != LEFT for path in _paths(listed)}


def left_behind(folder: Path) -> list[str]:
    """What trials with lists in `folder` made outside of their scratch copies, and could not be removed."""
    return [path for path in dict.fromkeys(_paths(folder / LEFT)) if os.path.lexists(path)]


def _paths(listed: Path) -> list[str]:
    try:
        return [os.fsdecode(path) for path in listed.read_bytes().split(b"\0") if path]
    except FileNotFoundError:  # its trial has ended
        return []


class WriteGuard:
    """Decides for each audit event whether the trial may go on; `stop` is called where it may not."""

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
        """The audit hook."""
        if event == "os.mkdir":
            self._note_folder(_at(args[0], args[2]))
        targets = _TARGETS.get(event)
        if targets is None or self._is_checking:
            return
        self._is_checking = True  # looking at the file raises events too
        try:
            for action, path in targets(args):
                self._check(action, path)
        finally:
            self._is_checking = False

    def _note_folder(self, path: str) -> None:
        """A folder that the trial makes is its own, with all that it, C++ code or a subprocess puts there."""
        path = os.path.abspath(path)
        if self._is_checking or path.startswith(self._caches):
            return
        is_anothers = os.path.lexists(path) and os.path.realpath(path) in self._made.of_living()
        if is_anothers or not os.path.lexists(path):
            self._own_folders += (path + os.sep,)
            self._list(path)

    def _check(self, action: str, path: str) -> None:
        path = os.path.abspath(path)
        if action == "write" and os.path.isdir(path):  # tempfile tries to open the folder, then a file in it
            return
        if path in self._own or (path + os.sep).startswith((*self._caches, *self._own_folders)):
            return
        original = str(self._scratch.original_of(Path(path)))
        if self._scratch.is_writable(Path(original)) and self._is_private(path):
            return
        real = os.path.realpath(original)
        if not (os.path.lexists(original) and _is_regular(original)):
            self._own.update((path, real))
            self._list(path)
        elif action == "make" or real in self._own or real.startswith(self._caches):
            return
        elif real in self._made.of_living():
            self._own.update((path, real))
            self._list(path)
        else:
            self._stop(f"the trial would {action} {original}, which existed before it; {self._advice(path, original)}")

    def _is_private(self, path: str) -> bool:
        """Whether a path leads into the scratch copy, and not through a link out of it."""
        return os.path.realpath(path).startswith(self._private)

    def _advice(self, path: str, original: str) -> str:
        if self._scratch.is_writable(Path(original)):
            return "a private copy is made of files inside the script's folder only: write it there by a relative path"
        name = os.path.basename(original)
        return f"trials may not touch your files: move it away, or allow a private copy with --may-overwrite '{name}'"

    def _list(self, path: str) -> None:
        if self._is_private(path):
            return
        outer, self._is_checking = self._is_checking, True
        try:
            self._made.add(os.path.realpath(path))
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


def _linked(args: tuple[Any, ...]) -> list[tuple[str, str]]:
    return [("make", _at(args[1], args[-1]))]


_TARGETS: dict[str, Callable[[tuple[Any, ...]], list[tuple[str, str]]]] = {
    "open": _opened,
    "os.remove": _removed,
    "os.rmdir": _removed,
    "os.rename": _renamed,
    "os.truncate": _truncated,
    "os.link": _linked,
    "os.symlink": _linked,
    "sqlite3.connect": lambda args: [("make", os.fsdecode(args[0]))] if args[0] != ":memory:" else [],
}


def announce_torch_writes() -> None:
    """Let torch.save raise the audit event of a file that is opened for writing."""
    import torch

    original = torch.save

    def save(obj: object, f: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(f, (str, os.PathLike)):
            sys.audit("open", os.fspath(f), "wb", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        original(obj, f, *args, **kwargs)

    save.__doc__ = original.__doc__
    torch.save = torch.serialization.save = save
