"""A scratch working copy of the folders a script lives and runs in, so that a trial leaves nothing behind.

Folders are made anew, files are links to the user's own, so that relative paths resolve and nothing large is copied.
Python files are copied (a script finds its neighbours and itself in the copy), and so are small files of formats
that are written from C or Rust, where no audit event is raised.
"""

import fnmatch
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = {"__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox"}
_LINKED_WHOLE = {".git", ".hg", "site-packages"}
_MOST_ENTRIES = 20_000
_MOST_IN_FOLDER = 2_000
_WRITTEN_OUTSIDE_PYTHON = {".safetensors", ".h5", ".hdf5", ".db", ".sqlite", ".sqlite3", ".parquet", ".arrow", ".onnx"}
_MOST_COPIED_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """Where a trial runs: `folder` is the whole scratch, `roots` pairs each copy with the folder it stands for.

    Files whose name or relative path matches a pattern of `may_overwrite` are private copies that a trial may write.
    """

    folder: Path
    roots: tuple[tuple[Path, Path], ...]
    may_overwrite: tuple[str, ...] = ()

    def copy_of(self, path: Path) -> Path:
        """The place in the scratch that stands for a path of the user's; outside of all roots the path itself."""
        for copy, original in self.roots:
            if path.is_relative_to(original):
                return copy / path.relative_to(original)
        return path

    def original_of(self, path: Path) -> Path:
        """The inverse of `copy_of`."""
        for copy, original in self.roots:
            if path.is_relative_to(copy):
                return original / path.relative_to(copy)
        return path

    def is_writable(self, original: Path) -> bool:
        """Whether a trial may write the copy of this file of the user's."""
        relative = next(
            (original.relative_to(root) for _, root in self.roots if original.is_relative_to(root)), original
        )
        return any(fnmatch.fnmatch(str(relative), p) or fnmatch.fnmatch(original.name, p) for p in self.may_overwrite)


def make_scratch(folders: tuple[Path, ...], *, may_overwrite: tuple[str, ...] = ()) -> Scratch:
    """A scratch with a copy of each folder (those inside another are part of it).

    A folder of more than 2,000 entries, and all that follow once 20,000 were mirrored, are linked whole.
    """
    scratch = Path(tempfile.mkdtemp(prefix="hotloop-"))
    originals = tuple(dict.fromkeys(folder.resolve() for folder in folders))
    outermost = [a for a in originals if not any(a != b and a.is_relative_to(b) for b in originals)]
    roots = tuple((scratch / f"root{i}" / original.name, original) for i, original in enumerate(outermost))
    made = Scratch(folder=scratch, roots=roots, may_overwrite=may_overwrite)
    mirror = _Mirror(made)
    for copy, original in roots:
        copy.mkdir(parents=True)
        mirror.fill(copy, original)
    return made


class _Mirror:
    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._left = _MOST_ENTRIES

    def fill(self, copy: Path, original: Path) -> None:
        entries = sorted(os.scandir(original), key=lambda entry: entry.name)
        self._left -= len(entries)
        for entry in entries:
            source, target = Path(entry.path), copy / entry.name
            if entry.name in _SKIPPED:
                continue
            if not entry.is_dir(follow_symlinks=False):
                self._place(source, target)
            elif entry.name in _LINKED_WHOLE or self._is_too_large(source):
                target.symlink_to(source)
            else:
                target.mkdir()
                self.fill(target, source)

    def _is_too_large(self, folder: Path) -> bool:
        if self._left <= 0:
            return True
        try:
            return sum(1 for _ in os.scandir(folder)) > _MOST_IN_FOLDER
        except OSError:  # unreadable for us is unreadable for the script: the link keeps that so
            return True

    def _place(self, source: Path, target: Path) -> None:
        if source.is_symlink() and not source.exists():
            target.symlink_to(os.readlink(source))
        elif source.is_file() and (source.suffix == ".py" or self._scratch.is_writable(source) or _is_delicate(source)):
            shutil.copy2(source, target)
        else:
            target.symlink_to(source)


def _is_delicate(source: Path) -> bool:
    return source.suffix in _WRITTEN_OUTSIDE_PYTHON and source.stat().st_size <= _MOST_COPIED_BYTES
