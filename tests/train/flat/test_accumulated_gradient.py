import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.train.microbatches import GroupedBatches, Microbatches
from hotloop.train.strategies.supervised import Supervised

PROGRAM = Path(__file__).with_name("ranks_program.py")


def step_of(*, scale=None, metrics=None):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = FlatOptimizer(FlatParameters(model), "sgd", lr=0.1)
    strategy = Supervised(criterion=nn.functional.mse_loss, metrics=metrics or {})
    return FlatStep(model, strategy, optimizer, scale=scale), optimizer.flat


def batch(size):
    return torch.randn(size, 3), torch.randn(size, 1)


@pytest.mark.parametrize("is_scaled", [False, True])
def test_uneven_microbatches_make_the_step_of_all_their_samples(is_scaled):
    parts = [batch(5), batch(1), batch(2)]
    whole = tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
    device = torch.device("cpu")
    wanted_step, wanted = step_of()
    found_step, found = step_of(scale=LossScale(device) if is_scaled else None, metrics={"mae": nn.functional.l1_loss})
    for _ in range(3):
        wanted_loss, found_loss = wanted_step(whole), found_step(Microbatches(parts))
        assert torch.allclose(found_loss.value, wanted_loss.value)
        assert float(found_loss.count) == 8.0
        assert torch.allclose(found.grads, wanted.grads, atol=1e-6)
    assert torch.allclose(found.values, wanted.values, atol=1e-6)
    assert found_loss.metrics["mae"] > 0.0


def test_a_nan_in_one_microbatch_stops_the_step():
    step, flat = step_of()
    before = flat.values.clone()
    bad = batch(2)
    bad[0][0] = torch.nan
    assert step(Microbatches([batch(3), bad])).value.isnan()
    assert torch.equal(flat.values, before)


def test_the_last_group_of_an_epoch_may_be_smaller():
    class Counting(list):
        def skip(self, epochs):
            self[:] = self[epochs:]

    batches = GroupedBatches(Counting(range(5)), 2)
    assert (len(batches), list(batches)) == (3, [(0, 1), (2, 3), (4,)])
    assert list(batches) == [(0, 1), (2, 3), (4,)]


@pytest.mark.slow
def test_two_ranks_with_uneven_shards_make_the_step_of_all_samples():
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(PROGRAM)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal") == 2
