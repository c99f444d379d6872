"""Another revision of a checkout, as files of its own."""

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def checked_out(revision: str, root: Path) -> Generator[Path]:
    """A temporary git worktree of `revision`, removed in the end. Raises ValueError for what git does not know."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False)
    if not commit:
        raise ValueError(f"git knows no revision {revision!r} in {root}: name a commit, a branch or a tag")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=check)
    return done.stdout.strip()
