"""A scratch working copy of the folders a script lives and runs in, so that a trial leaves nothing behind.

The project around them (see `project_of`) is mirrored: folders are made anew, files are links to the user's own, so
that relative paths resolve and nothing large is copied. Python files are copied (a script finds its neighbours and
itself in the copy), and so are small files of formats that are written from C or Rust, where no audit event is raised.
All trials of a session share one copy of each Python file: they run the same code, even where the user edits it.
What lies above the project, up to the root of the file system, is there as links, so that `..` leads where it led.
"""

import fnmatch
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

_SKIPPED = {"__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".tox"}
_LINKED_WHOLE = {".git", ".hg", "site-packages"}
_PROJECT_FILES = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg")
_MOST_LEVELS = 6
_MOST_ENTRIES = 20_000
_MOST_IN_FOLDER = 2_000
PREFIX = "hotloop-"
_WRITTEN_OUTSIDE_PYTHON = {".safetensors", ".h5", ".hdf5", ".db", ".sqlite", ".sqlite3", ".parquet", ".arrow", ".onnx"}
_MOST_COPIED_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """Where a trial runs: `folder` is the whole scratch, `roots` pairs each copy with the folder it stands for.

    Files whose name or relative path matches a pattern of `may_overwrite` are private copies that a trial may write.
    `not_mirrored` are folders above the roots of which the copy shows nothing but the way to it.
    """

    folder: Path
    roots: tuple[tuple[Path, Path], ...]
    may_overwrite: tuple[str, ...] = ()
    not_mirrored: tuple[Path, ...] = ()

    @property
    def tree(self) -> Path:
        """The folder that stands for the root of the file system."""
        return self.folder / "tree"

    def copy_of(self, path: Path) -> Path:
        """The place in the scratch that stands for a path of the user's; outside of all roots the path itself."""
        for copy, original in self.roots:
            if path.is_relative_to(original):
                return copy / path.relative_to(original)
        return path

    def original_of(self, path: Path) -> Path:
        """The inverse of `copy_of`; of a link above the roots too the user's own path."""
        return "/" / path.relative_to(self.tree) if path.is_relative_to(self.tree) else path

    def missing(self, kind: str) -> str:
        """What the copy lacks, where a program did not find something; `kind` is the class of what it raised."""
        if kind not in ("FileNotFoundError", "ModuleNotFoundError") or not self.not_mirrored:
            return ""
        folders = ", ".join(map(str, self.not_mirrored))
        return f" (trials run in a copy, which has nothing of what lies in {folders}: give it by an absolute path)"

    def is_writable(self, original: Path) -> bool:
        """Whether a trial may write the copy of this file of the user's."""
        relative = next(
            (original.relative_to(root) for _, root in self.roots if original.is_relative_to(root)), original
        )
        return any(fnmatch.fnmatch(str(relative), p) or fnmatch.fnmatch(original.name, p) for p in self.may_overwrite)


def make_scratch(
    folders: tuple[Path, ...], *, sources: Path | None = None, may_overwrite: tuple[str, ...] = ()
) -> Scratch:
    """A scratch with a copy of each folder and of the project around it.

    `sources` is where the session keeps its copies of Python files, to which those of the scratch are hard links.
    A folder of more than 2,000 entries, and all that follow once 20,000 were mirrored, are linked whole; the folders
    themselves come before the rest of their projects. Above the projects a folder of more than 2,000 entries shows
    none but the one that leads to the copy.
    """
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
    inner = tuple(dict.fromkeys(folder.resolve() for folder in folders))
    projects = tuple(dict.fromkeys(project_of(folder) for folder in inner))
    outermost = [a for a in projects if not any(a != b and a.is_relative_to(b) for b in projects)]
    roots = tuple((scratch / "tree" / original.relative_to("/"), original) for original in outermost)
    made = Scratch(folder=scratch, roots=roots, may_overwrite=may_overwrite)
    mirror = _Mirror(made, inner, sources)
    for folder in (*inner, *outermost):
        mirror.fill(made.copy_of(folder), folder)
    return replace(made, not_mirrored=tuple(folder for original in outermost for folder in mirror.link_above(original)))


def project_of(folder: Path) -> Path:
    """The project that a folder belongs to: the nearest one, itself or above it, with a file or folder that marks one.

    Without a mark it is the folder above the outermost package around it, or the folder itself. Home and temporary
    folders are no projects, and it is looked for six levels up.
    """
    never = {Path("/"), Path.home().resolve(), Path(tempfile.gettempdir()).resolve()}
    for candidate in (folder, *folder.parents)[: _MOST_LEVELS + 1]:
        if candidate in never:
            break
        if any((candidate / name).exists() for name in _PROJECT_FILES):
            return candidate
    outer = folder
    while (outer / "__init__.py").is_file() and outer.parent not in never:
        outer = outer.parent
    return outer


class _Mirror:
    def __init__(self, scratch: Scratch, inner: tuple[Path, ...], sources: Path | None) -> None:
        self._scratch = scratch
        self._inner = inner
        self._sources = sources
        self._left = _MOST_ENTRIES
        self._filled: set[Path] = set()

    def fill(self, copy: Path, original: Path) -> None:
        """The contents of a folder; what was filled before stays as it is."""
        if original in self._filled:
            return
        self._filled.add(original)
        copy.mkdir(parents=True, exist_ok=True)
        entries = sorted(os.scandir(original), key=lambda entry: entry.name)
        self._left -= len(entries)
        for entry in entries:
            source, target = Path(entry.path), copy / entry.name
            leads_inside = any(folder.is_relative_to(source) for folder in self._inner)
            if (entry.name in _SKIPPED or self._is_scratch(source)) and not leads_inside:
                continue
            if not entry.is_dir(follow_symlinks=False):
                self._place(source, target)
            elif (entry.name in _LINKED_WHOLE or self._is_too_large(source)) and not leads_inside:
                target.symlink_to(source)
            else:
                self.fill(target, source)

    def link_above(self, original: Path) -> list[Path]:
        """Links to all that lies beside the folders above `original`, but for the scratch copies of trials.

        Those of the folders that have too many entries for that.
        """
        left_out: list[Path] = []
        for folder in original.parents:
            if folder in self._filled:
                continue
            self._filled.add(folder)
            if self._is_too_large(folder, within=False):
                left_out.append(folder)
                continue
            for entry in os.scandir(folder):
                target = self._scratch.tree / entry.path[1:]
                if not self._is_scratch(Path(entry.path)) and not os.path.lexists(target):
                    target.symlink_to(entry.path)
        return left_out

    def _is_scratch(self, path: Path) -> bool:
        """Whether it is the scratch copy of a trial; no trial sees another."""
        return path.parent == self._scratch.folder.parent and path.name.startswith(PREFIX)

    def _is_too_large(self, folder: Path, *, within: bool = True) -> bool:
        if within and self._left <= 0:
            return True
        try:
            return sum(1 for _ in os.scandir(folder)) > _MOST_IN_FOLDER
        except OSError:  # unreadable for us is unreadable for the script: the link keeps that so
            return True

    def _place(self, source: Path, target: Path) -> None:
        if source.is_symlink() and not source.exists():
            target.symlink_to(os.readlink(source))
        elif not source.is_file():
            target.symlink_to(source)
        elif self._scratch.is_writable(source) or _is_delicate(source):
            shutil.copy2(source, target)
        elif source.suffix == ".py":
            self._place_source(source, target)
        else:
            target.symlink_to(source)

    def _place_source(self, source: Path, target: Path) -> None:
        """A hard link to the session's copy, which costs a tenth of a copy and is as well guarded against writing."""
        if self._sources is None:
            shutil.copy2(source, target)
            return
        shared = self._sources / str(source)[1:]
        if not shared.exists():
            shared.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, shared)
        try:
            os.link(shared, target)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(shared, target)


def _is_delicate(source: Path) -> bool:
    return source.suffix in _WRITTEN_OUTSIDE_PYTHON and source.stat().st_size <= _MOST_COPIED_BYTES
