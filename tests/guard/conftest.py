"""A tiny git repository with a training script, to be changed from commit to commit."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TRAIN = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(512, 32), torch.randn(512, 1)
model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)


def compute_loss(rows):
    return (model(x[rows]) - y[rows]).square().mean()


for step in range(100000):
    rows = torch.randint(0, 512, (64,))
    loss = compute_loss(rows)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


class TinyRepository:
    """A repository at `folder`; `commit` writes files and commits them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")

    def git(self, *arguments: str) -> str:
        call = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
        done = subprocess.run(call, cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    def commit(self, message: str, **files: str) -> str:
        self.write(**files)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def trees(self) -> int:
        """Work trees that git knows of, the user's own among them."""
        return len(self.git("worktree", "list").splitlines())


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[[str], TinyRepository]:
    return lambda name: TinyRepository(tmp_path / name)


@pytest.fixture
def repository(tmp_path: Path) -> TinyRepository:
    """One commit of TRAIN."""
    made = TinyRepository(tmp_path / "repository")
    made.commit("A training script", train=TRAIN)
    return made


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLOOP_HISTORY", f"sqlite:///{tmp_path}/history.db")


def changed(old: str, new: str, text: str = TRAIN) -> str:
    """TRAIN with one place changed."""
    assert text.count(old) == 1
    return text.replace(old, new)
