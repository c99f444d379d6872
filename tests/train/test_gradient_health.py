import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hotloop.train import GradientHealth
from hotloop.train.flat.clipping import Clipping
from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.workload import Job


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def with_gradients(model, scale=1.0):
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, scale)


def seen(*scales, **options):
    model = network()
    health = GradientHealth(model, **options)
    for scale in scales:
        with_gradients(model, scale)
        health.observe()
    return health.read()


def test_the_total_is_the_global_norm_and_layers_have_their_own():
    report = seen(1.0, 3.0)
    assert report.total.mean == pytest.approx(2.0 * math.sqrt(26))
    assert report.total.max == pytest.approx(3.0 * math.sqrt(26))
    assert {name: layer.max for name, layer in report.layers.items()} == pytest.approx(
        {"0": 3.0 * 4.0, "2": 3.0 * math.sqrt(10)}
    )
    assert (report.steps, report.layers["0"].num_parameters, report.is_healthy) == (2, 16, True)
    assert report.norm_ratio("0", "2") == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [0, 63, 64, 99, 129])
def test_one_bad_batch_is_reported_wherever_it_is(bad):
    for scale, field in ((math.nan, "num_nonfinite"), (1e4, "num_exploding"), (0.0, "num_vanishing")):
        report = seen(*[scale if step == bad else 1.0 for step in range(130)])
        assert getattr(report.total, field) == 1, field
        assert report.total.worst_step == (bad if scale != 0.0 else (1 if bad == 0 else 0))
        assert report.total.score == pytest.approx(1.0 - (0.5 if scale == 0.0 else 0.8) / 130)
        assert report.is_healthy == (scale == 0.0)


def test_nan_gradients_are_not_healthy_and_spoil_no_mean():
    report = seen(math.nan, 1.0)
    assert report.total.mean == pytest.approx(math.sqrt(26))
    assert seen(math.nan).total.score == pytest.approx(0.2)
    assert math.isnan(seen(math.inf).total.mean)


def test_a_layer_without_a_gradient_is_left_out_of_that_step():
    model = network()
    health = GradientHealth(model)
    with_gradients(model)
    health.observe()
    model[0].weight.grad = model[0].bias.grad = None
    health.observe()
    report = health.read()
    assert (report.layers["0"].steps, report.layers["2"].steps, report.total.steps) == (1, 2, 2)
    assert report.total.mean == pytest.approx((math.sqrt(26) + math.sqrt(10)) / 2)


def test_what_was_read_is_gone():
    model = network()
    health = GradientHealth(model)
    with_gradients(model)
    health.observe()
    health.read()
    report = health.read()
    assert (report.steps, report.total.steps, report.total.worst_step) == (0, 0, -1)
    assert math.isnan(report.total.mean)
    assert math.isnan(report.total.score)


def test_layers_may_be_chosen_by_name():
    report = seen(1.0, layer_of=lambda name: name.rpartition(".")[2])
    assert set(report.layers) == {"weight", "bias"}


def test_a_model_with_nothing_to_train_is_refused():
    with pytest.raises(ValueError, match="nothing to watch"):
        GradientHealth(nn.Linear(2, 2).requires_grad_(False))


class Reads(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_observing_and_folding_read_nothing():
    model = network()
    health = GradientHealth(model)
    with_gradients(model)
    with Reads() as reads:
        for _ in range(130):
            health.observe()
        health.packed()
    assert not {"_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal"} & set(reads.seen)


BATCHES = [(torch.full((4, 3), float(n)), torch.ones(4, 2)) for n in range(1, 4)]


def job(model, **options):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    strategy = Supervised(criterion=nn.functional.mse_loss)
    return Job(model=model, optimizer=optimizer, batches=BATCHES, strategy=strategy, **options)


def norms(model):
    found = []
    for inputs, targets in BATCHES:
        model.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item())
    model.zero_grad()
    return found


def test_the_loop_reports_norms_from_before_the_clip():
    model = network()
    expected = norms(model)
    reports = []
    total = train(
        job(model, gradients=GradientHealth(model), clip_norm=1e-3), epochs=1, report_every=2, on_report=reports.append
    )
    assert [report.gradients.total.max for report in reports] == pytest.approx([max(expected[:2]), expected[2]])
    assert total.gradients.total.mean == pytest.approx(sum(expected) / 3)
    assert total.gradients.total.worst_step == expected.index(max(expected))
    assert total.gradients.taken == "after unscaling, before clipping"


def test_without_an_observer_a_report_has_none():
    assert train(job(network()), epochs=1).gradients is None


def test_a_flat_step_shows_unscaled_gradients_from_before_the_clip():
    model = network()
    expected = norms(model)
    flat = FlatOptimizer(FlatParameters(model), "sgd", lr=0.0)
    health = GradientHealth(model)
    scale = LossScale(torch.device("cpu"))
    step = FlatStep(model, job(model).strategy, flat, clipping=Clipping(norm=1e-3), scale=scale, gradients=health)
    report = train(
        Job(model=model, optimizer=flat, batches=BATCHES, strategy=job(model).strategy, step=step, gradients=health),
        epochs=1,
    )
    assert report.gradients.total.mean == pytest.approx(sum(expected) / 3, rel=1e-5)


def test_losses_and_gradients_are_read_by_one_transfer(monkeypatch):
    model = network()
    reads = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: reads.append(self.shape) or tolist(self))
    monkeypatch.setattr(torch.Tensor, "item", lambda self: pytest.fail("item was called"))
    train(job(model, gradients=GradientHealth(model)), epochs=1)
    assert len(reads) == 1
