"""Request: what `guard` is asked to compare, and the two sides that come of it."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hotloop.errors import RevisionError, WorkloadError
from hotloop.guard.limits import GuardSettings
from hotloop.guard.repository import Repository
from hotloop.guard.side import Installation, Side
from hotloop.guard.trees import Trees, import_paths, work_trees
from hotloop.workload import Workload, parse_workload


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to compare: `target` with its arguments as it was typed in `folder`, at two revisions.

    Without `head` it is the working tree. Without `base` both are the working tree, and the interpreters differ.
    """

    target: str
    arguments: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path.cwd)
    base: str | None = None
    head: str | None = None
    base_python: str = ""
    head_python: str = ""
    settings: GuardSettings = field(default_factory=GuardSettings)

    @contextmanager
    def sides(self) -> Generator[Trees]:
        """Base and head with their files and installations, for as long as the context lasts.

        Raises RevisionError for an unknown revision, a folder without git, or an interpreter that does not run.
        """
        base, head = Installation(), Installation()
        if self.base_python or self.head_python:
            base, head = (Installation.of(path or sys.executable) for path in (self.base_python, self.head_python))
        if self.base is None:
            if not (self.base_python or self.head_python):
                raise RevisionError("nothing to compare with; give --base REVISION, or --base-python and --head-python")
            tree = self.folder.resolve()
            yield Trees(base=Side(tree=tree, installation=base), head=Side(tree=tree, installation=head))
            return
        with work_trees(Repository.around(self.folder), self.base, self.head) as trees:
            yield replace(
                trees,
                base=replace(trees.base, installation=base),
                head=replace(trees.head, installation=head),
            )

    def workload_of(self, side: Side) -> Workload:
        """The program as one side has it. Raises WorkloadError where that side has no such program."""
        if self.base is None:
            found = parse_workload(self.target, self.arguments, folder=side.tree, is_module=self.settings.module)
            return replace(found, python=side.installation.path)
        repository = Repository.around(self.folder)
        here = self.folder.resolve()
        folder = self._folder_of(repository, side)
        target = self._inside(repository, here)
        found = parse_workload(target, self.arguments, folder=folder, is_module=self.settings.module)
        return replace(
            found, python=side.installation.path, import_paths=import_paths(repository, side.tree, without=here)
        )

    def matrix_of(self, side: Side) -> Path:
        """The file of the matrix as one side has it, where the target is one."""
        if self.base is None:
            return side.tree / self.target
        repository = Repository.around(self.folder)
        return self._folder_of(repository, side) / self._inside(repository, self.folder.resolve())

    def _folder_of(self, repository: Repository, side: Side) -> Path:
        within = self.folder.resolve().relative_to(repository.top)
        if not (side.tree / within).is_dir():
            raise WorkloadError(f"there is no folder {within} at {side.title}")
        return side.tree / within

    def _inside(self, repository: Repository, here: Path) -> str:
        """The target by a path that leads to the same file in each tree."""
        file, colon, function = self.target.partition(":")
        if not file.endswith((".py", ".toml")):
            return self.target
        path = Path(os.path.normpath(here / file))
        if not path.is_relative_to(repository.top):
            raise RevisionError(f"{file} is not in the repository {repository.top}, whose revisions are compared")
        return f"{os.path.relpath(path, here)}{colon}{function}"
