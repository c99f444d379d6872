"""The git repository of a folder: revisions, work trees, and the files of the working tree as it stands."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hotloop.errors import RevisionError

# Inside a git hook these name the repository of the hook, whatever folder a command is run in.
_REDIRECTIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
_SHALLOW = (
    "this is a shallow clone, which lacks older revisions: fetch them with `git fetch --unshallow`, or set "
    "fetch-depth: 0 for actions/checkout"
)


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A git repository by the top folder of its working tree."""

    top: Path

    @staticmethod
    def around(folder: Path) -> "Repository":
        """The repository that a folder lies in. Raises RevisionError where there is none, or no git."""
        done = _run(folder, "rev-parse", "--show-toplevel")
        if done.returncode:
            raise RevisionError(
                f"{folder} is in no git repository ({_said(done)}); guard compares revisions: run it inside of one, or "
                "compare two installations with --base-python and --head-python"
            )
        return Repository(top=Path(done.stdout.strip()))

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """What a git command prints, run in the top folder or in `folder`. Raises RevisionError where it fails."""
        done = _run(folder or self.top, *arguments)
        if done.returncode:
            raise RevisionError(f"git {' '.join(arguments)} failed in {folder or self.top}: {_said(done)}")
        return done.stdout

    def bisect(self, *arguments: str, tree: Path) -> str:
        """What a step of `git bisect` prints in a work tree; 2 is its status where only skipped commits are left."""
        done = _run(tree, "bisect", *arguments)
        if done.returncode not in (0, 2):
            raise RevisionError(f"git bisect {' '.join(arguments)} failed: {_said(done)}")
        return done.stdout

    def commit(self, revision: str) -> str:
        """The full name of the commit that a revision means. Raises RevisionError where there is none."""
        done = _run(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if done.returncode:
            is_shallow = self.git("rev-parse", "--is-shallow-repository").strip() == "true"
            advice = _SHALLOW if is_shallow else "name a branch, a tag or a commit that `git rev-parse` knows"
            raise RevisionError(f"no revision {revision!r} in {self.top}; {advice}")
        return done.stdout.strip()

    def paths(self, *kinds: str) -> list[str]:
        """Paths of the working tree, from its top, as `git ls-files` lists them."""
        return [path for path in self.git("ls-files", "-z", "--full-name", *kinds).split("\0") if path]

    def add_tree(self, folder: Path, commit: str, *, checkout: bool = True) -> None:
        """A work tree at `folder`; without `checkout` it has no files. Hooks of the repository do not run."""
        how = "--checkout" if checkout else "--no-checkout"
        self.git("-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", how, "--quiet", str(folder), commit)

    def remove_tree(self, folder: Path) -> None:
        """Remove a work tree and what git knows of it, whether its folder is still there or not."""
        _run(self.top, "worktree", "remove", "--force", "--force", str(folder))

    def trees(self) -> list[Path]:
        """Folders of all work trees that git knows of."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [Path(line.removeprefix("worktree ")) for line in lines if line.startswith("worktree ")]


def _run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    variables = {name: value for name, value in os.environ.items() if name not in _REDIRECTIONS}
    call = ["git", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false", *arguments]
    try:
        return subprocess.run(
            call,
            cwd=folder,
            env=variables,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError as error:
        raise RevisionError("git is not installed, and guard compares git revisions; install it") from error


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    return " ".join(done.stderr.split()) or f"it left with status {done.returncode}"
