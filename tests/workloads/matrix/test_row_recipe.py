"""A row of a matrix is a recipe by its title: it trains like any other, and the same for the same seed."""

import sys

import pytest
import torch

from hotloop.errors import MatrixError, WorkloadError
from hotloop.workload import Recipe, parse_workload
from hotloop.workloads.program import load_build

NETS = """
from torch import nn


def mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
"""
MATRIX = """
batch = [4]

[[model]]
model = "row_nets:mlp"
name = "mlp"
inputs = [{ shape = [8] }]
loss = "cross_entropy"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "row_nets.py").write_text(NETS)
    (tmp_path / "bench.toml").write_text(MATRIX)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("row_nets", None)


def test_a_row_is_built_from_its_seed(folder):
    workload = parse_workload("bench.toml:mlp/4/float32", folder=folder)
    assert isinstance(workload, Recipe)
    build = load_build(workload)
    first, same, other = build(0), build(0), build(1)
    weights = [next(iter(job.model.parameters())) for job in (first, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    (inputs,) = next(iter(first.batches))
    assert (inputs.shape, inputs.dtype) == ((4, 8), torch.float32)
    loss = first.strategy.loss(first.model, (inputs,))
    assert (loss.count, loss.value.requires_grad) == (4, True)


def test_an_unknown_row_lists_those_that_there_are(folder):
    with pytest.raises(MatrixError, match=r"bench\.toml has no row 'mlp/8/float32'; its rows are: mlp/4/float32"):
        load_build(parse_workload("bench.toml:mlp/8/float32", folder=folder))


def test_a_whole_matrix_is_no_workload(folder):
    with pytest.raises(WorkloadError, match=r"bench\.toml is a matrix, which bench and guard take whole; name one row"):
        parse_workload("bench.toml", folder=folder)
    with pytest.raises(WorkloadError, match=r"no such file: other\.toml"):
        parse_workload("other.toml:mlp/4/float32", folder=folder)
