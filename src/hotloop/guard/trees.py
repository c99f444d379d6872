"""Two work trees of one repository while a comparison lasts: base, and head or the working tree as it stands."""

import shutil
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from hotloop.guard.repository import Repository
from hotloop.guard.side import Side
from hotloop.proof.session_folder import PREFIX, session_folder

HERE = "HEAD"
_NEVER_LINKED = (".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", ".ruff_cache", ".pytest_cache")


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Both sides with their files, and the notes that a reader of the result must know.

    `top` is the working tree of the repository; None outside of git.
    """

    base: Side
    head: Side
    top: Path | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def work_trees(repository: Repository, base: str, head: str | None) -> Generator[Trees]:
    """Work trees of two revisions in a temporary folder, removed at the end whatever happens.

    Without `head` it is a copy of the working tree as it stands: what is tracked or new, without what git ignores, so
    that the user may go on editing. What git ignores (data sets, built libraries) is linked into both.
    """
    base_side = Side(tree=Path(), revision=base, commit=repository.commit(base))
    head_side = Side(tree=Path(), revision=head or HERE, commit=repository.commit(head or HERE))
    with _ended_by_raising(), session_folder() as folder:
        _remove_orphans(repository)
        trees = [folder / "base", folder / "head"]
        try:
            repository.add_tree(trees[0], base_side.commit)
            repository.add_tree(trees[1], head_side.commit, checkout=head is not None)
            notes: list[str] = []
            if head is None:
                _copy_working_tree(repository, trees[1])
                head_side = replace(head_side, is_dirty=bool(repository.git("status", "--porcelain").strip()))
            if (trees[0] / ".gitmodules").exists() or (trees[1] / ".gitmodules").exists():
                notes.append("submodules are not checked out in the work trees: what needs them does not run")
            notes += _link_ignored(repository, trees)
            base_side, head_side = replace(base_side, tree=trees[0]), replace(head_side, tree=trees[1])
            yield Trees(base=base_side, head=head_side, top=repository.top, notes=tuple(notes))
        finally:
            for tree in trees:
                repository.remove_tree(tree)


@contextmanager
def one_tree(repository: Repository, revision: str) -> Generator[Path]:
    """A single work tree of a revision, removed at the end."""
    with _ended_by_raising(), session_folder() as folder:
        _remove_orphans(repository)
        tree = folder / "tree"
        try:
            repository.add_tree(tree, repository.commit(revision))
            yield tree
        finally:
            repository.remove_tree(tree)


def import_paths(repository: Repository, tree: Path, *, without: Path) -> tuple[str, ...]:
    """The folders of `tree` that stand for those of the working tree from which Python imports here.

    A package that is installed in editable mode would else be imported from the working tree by both sides. `without`
    is the current folder, which is on our path where we were started as a module.
    """
    mapped = [Path(place).parent for finder in sys.meta_path for place in _mapping_of(finder).values()]
    places = [*map(Path, filter(None, sys.path)), *mapped]
    inside = [place for place in map(Path.absolute, places) if place.is_relative_to(repository.top)]
    wanted = [place for place in inside if not _is_environment(place) and place != without]
    found = [tree / place.relative_to(repository.top) for place in wanted]
    return tuple(dict.fromkeys(str(place) for place in found))


def _mapping_of(finder: Any) -> dict[str, str]:
    """Packages and their folders, of a finder that setuptools made for an editable installation."""
    module = sys.modules.get(getattr(finder, "__module__", ""))
    found = getattr(module, "MAPPING", None)
    return found if isinstance(found, dict) else {}


def _is_environment(place: Path) -> bool:
    return any(part in ("site-packages", "dist-packages") for part in place.parts)


def _copy_working_tree(repository: Repository, tree: Path) -> None:
    for path in repository.paths("--cached", "--others", "--exclude-standard"):
        source, target = repository.top / path, tree / path
        if not source.is_symlink() and not source.is_file():
            continue  # deleted in the working tree, or a submodule
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _link_ignored(repository: Repository, trees: list[Path]) -> list[str]:
    """Link what git ignores into trees where there is nothing of that name; a note of what it was."""
    linked: list[str] = []
    for path in repository.paths("--others", "--ignored", "--exclude-standard", "--directory"):
        name = path.rstrip("/")
        if any(part in _NEVER_LINKED or part.endswith(".egg-info") for part in Path(name).parts):
            continue
        for target in (tree / name for tree in trees):
            if not target.exists() and target.parent.is_dir():
                target.symlink_to(repository.top / name)
                linked = [*linked, name] if name not in linked else linked
    if not linked:
        return []
    shown = ", ".join(linked[:5]) + (f" and {len(linked) - 5} more" if len(linked) > 5 else "")
    return [f"what git ignores is the same for both, as it lies in the working tree: {shown}"]


@contextmanager
def _ended_by_raising() -> Generator[None]:
    """A signal that ends this process, as where a job of CI is cancelled, raises: what was made is then removed."""
    if threading.current_thread() is not threading.main_thread():  # where no handler can be set
        yield
        return

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _remove_orphans(repository: Repository) -> None:
    """Forget the work trees of a guard that was killed; `session_folder` removes their files."""
    for tree in repository.trees():
        if tree.parent.name.startswith(PREFIX) and not tree.exists():
            repository.remove_tree(tree)
