"""The temporary folder of a session: caches and scratch copies, gone with it, or with the next one."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

PREFIX = "hotloop-session-"
_OWNER = "owner"


@contextmanager
def session_folder() -> Generator[Path]:
    """A fresh folder, removed at the end; folders whose process was killed before it could do so are removed first."""
    _remove_orphans(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        (Path(folder) / _OWNER).write_text(_identity(psutil.Process()), encoding="utf-8")
        yield Path(folder)


def _identity(process: psutil.Process) -> str:
    """A process number alone may be somebody else's by now."""
    return f"{process.pid} {process.create_time()}"


def _remove_orphans(temporary: Path) -> None:
    for owner in temporary.glob(f"{PREFIX}*/{_OWNER}"):
        try:
            identity = owner.read_text(encoding="utf-8")
            alive = identity == _identity(psutil.Process(int(identity.split()[0])))
        except psutil.NoSuchProcess:
            alive = False
        except (OSError, ValueError, IndexError, psutil.AccessDenied):
            continue  # another user's, or half written by a process that is starting: not ours to judge
        if not alive:
            shutil.rmtree(owner.parent, ignore_errors=True)
