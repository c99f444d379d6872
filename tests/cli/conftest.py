import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hotloop(tmp_path: Path) -> Call:
    """Runs the command line in an empty folder, with a history of its own; stdout and stderr as text."""
    home = tmp_path / "home"
    home.mkdir()

    def call(*arguments: str, folder: Path = home) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hotloop", *arguments],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HOTLOOP_HISTORY": f"sqlite:///{tmp_path / 'history.db'}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return call


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder in which `hotloop` runs."""
    return tmp_path / "home"
