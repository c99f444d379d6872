import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.compile.eager import EagerStep
from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job


class Count(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def batches(count=4):
    torch.manual_seed(1)
    return [(torch.randn(6, 3), torch.randn(6, 2)) for _ in range(count)]


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))


def flat(model, **options):
    strategy = Supervised(criterion=nn.functional.mse_loss)
    return FlatStep(model, strategy, FlatOptimizer(FlatParameters(model), "adam", lr=0.01), **options)


def job_of(model, step):
    return Job(
        model=model,
        optimizer=step.optimizer,
        batches=batches(),
        strategy=Supervised(criterion=nn.functional.mse_loss),
        step=step,
    )


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("norm", [None, 0.05])
def test_a13_a_flat_step_is_the_eager_step(norm, fused):
    mine, theirs = net(), net()
    step = flat(mine, clipping=Clipping(norm=norm), fused=fused)
    job = Job(
        model=theirs,
        optimizer=torch.optim.Adam(theirs.parameters(), lr=0.01),
        batches=(),
        strategy=Supervised(criterion=nn.functional.mse_loss),
        clip_norm=norm,
    )
    eager = EagerStep(job)
    for batch in batches():
        assert step(batch).value.item() == pytest.approx(eager(batch).value.item(), rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize("fused", [True, False])
def test_defect_14_no_step_waits_for_the_device(fused):
    model = net()
    job = job_of(model, flat(model, clipping=Clipping(norm=1.0), fused=fused))
    with Count() as count:
        train(job, epochs=3)
    assert not {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"} & set(count.seen)


@pytest.mark.parametrize(
    ("clipping", "norms", "clamps"),
    [
        (Clipping(), 0, 0),
        (Clipping(norm=1.0), 6, 0),
        (Clipping(norm=1.0, every=3), 2, 0),
        (Clipping(value=0.1), 0, 6),
        (Clipping(value=0.1, every=2), 0, 3),
    ],
)
def test_4_1c_o2_clipping_costs_only_what_was_asked_for(clipping, norms, clamps):
    model = net()
    step = flat(model, clipping=clipping, fused=False)
    with Count() as count:
        for batch in batches(6):
            step(batch)
    assert count.seen.count("linalg_vector_norm") == norms
    assert count.seen.count("clamp_") - norms == clamps


def test_4_1c_the_gradient_is_at_most_as_long_as_asked():
    grads = torch.full((4,), 3.0)
    assert Clipping(norm=1.0).apply(grads, 0).item() == pytest.approx(6.0)
    assert grads.norm().item() == pytest.approx(1.0, rel=1e-5)
    short = torch.full((4,), 0.1)
    Clipping(norm=1.0).apply(short, 0)
    assert torch.equal(short, torch.full((4,), 0.1))
    Clipping(value=0.05).apply(short, 0)
    assert torch.equal(short, torch.full((4,), 0.05))


@pytest.mark.parametrize("fused", [True, False])
def test_defect_10_stop_means_that_no_later_step_changes_anything(fused):
    model = net()
    step = flat(model, fused=fused, nonfinite="stop")
    good, bad = batches(2)
    step(good)
    before = step.optimizer.flat.values.clone()
    losses = [step((bad[0] * float("inf"), bad[1])).value, step(good).value]
    assert all(loss.isnan() for loss in losses)
    assert torch.equal(step.optimizer.flat.values, before)
