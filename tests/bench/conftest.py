"""A folder with a module of models, a plan, and what tests of `bench` build from them."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job

NETS = """
from torch import nn


def mlp(width=16):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 3))


def broken():
    raise RuntimeError("no such weights")
"""

MATRIX = """
replicates = 1
steps = 5
converge = 40
batch = [4]

[[model]]
model = "nets:mlp"
kwargs = { width = 32 }
inputs = [{ shape = [8] }]
loss = "cross_entropy"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a matrix."""
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "fused.toml").write_text('[[transform]]\nname = "fused_optimizer"\n')
    (tmp_path / "bench.toml").write_text(MATRIX)
    return tmp_path


@pytest.fixture
def job() -> Job:
    """A net with batch-norm and dropout, on two batches of eight samples."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 3))
    return Job(
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), lr=1e-2),
        batches=[(torch.randn(8, 8), torch.arange(8) % 3) for _ in range(2)],
        strategy=Supervised(criterion=F.cross_entropy),
    )
