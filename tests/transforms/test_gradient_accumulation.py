"""Microbatches train what the whole batch trains, and everything else is refused with the reason."""

import copy

import pytest
import torch
from torch import nn

from hotloop.compile.accumulation import AccumulatedStep
from hotloop.errors import NotApplicable
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised
from hotloop.transform import Plan
from hotloop.transforms.gradient_accumulation import GradientAccumulation
from hotloop.transforms.whole_step import WholeStep
from hotloop.workload import Job, Loss

SAMPLES = 10


def train_in_parts(job):
    GradientAccumulation().apply(job)
    train(job, steps=1)


class Contrastive:
    """Each sample is told apart from the others of its batch."""

    def loss(self, model, batch):
        outputs = nn.functional.normalize(model(batch[0]), dim=1)
        return Loss(nn.functional.cross_entropy(outputs @ outputs.T, torch.arange(len(outputs))), len(outputs))


class Counting(nn.Module):
    """A buffer that counts forward passes."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return self.linear(x)


def network(*more):
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), *more, nn.Linear(16, 3))


def make_job(model=None, *, criterion=nn.functional.cross_entropy, strategy=None, **parts):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(4, SAMPLES, 6, generator=generator)
    labels = torch.randint(0, 3, (4, SAMPLES), generator=generator)
    model = model or network()
    return Job(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        batches=list(zip(inputs, labels, strict=True)),
        strategy=strategy or Supervised(criterion=criterion),
        **parts,
    )


def trained(job, steps=8):
    losses = []
    train(job, steps=steps, on_step=lambda loss: losses.append(float(loss)))
    return losses, [parameter.detach().clone() for parameter in job.model.parameters()]


@pytest.mark.parametrize("microbatches", [2, 3, 4, 10, 64])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_the_weights_are_those_of_the_whole_batch(microbatches, clip_norm):
    torch.manual_seed(0)
    model = network(nn.LayerNorm(16))
    whole = trained(make_job(copy.deepcopy(model), clip_norm=clip_norm))
    job = make_job(model, clip_norm=clip_norm)
    GradientAccumulation(microbatches=microbatches).apply(job)
    parts = trained(job)
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(parts[1], whole[1], strict=True))
    assert job.step.calls == 8


def test_metrics_are_means_over_the_whole_batch():
    torch.manual_seed(0)
    model = network()
    accuracy = {"accuracy": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()}
    strategy = Supervised(criterion=nn.functional.cross_entropy, metrics=accuracy)
    whole = train(make_job(copy.deepcopy(model), strategy=strategy), steps=4)
    job = make_job(model, strategy=strategy)
    GradientAccumulation(microbatches=4).apply(job)
    assert train(job, steps=4).metrics["accuracy"] == pytest.approx(whole.metrics["accuracy"], abs=1e-6)


def test_the_check_of_the_first_step_draws_no_random_numbers():
    def drawn(step):
        torch.manual_seed(3)
        step(batch)
        return torch.rand(2)

    torch.manual_seed(0)
    job, batch = make_job(network(nn.Dropout(0.1))), make_job().batches[0]
    step = AccumulatedStep(job, microbatches=2)
    first = drawn(step)
    assert torch.equal(first, drawn(step))


def summed(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets, reduction="sum")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"criterion": summed}, "the loss is a sum, or mixes samples"),
        ({"model": network(nn.Dropout(0.1)), "criterion": summed}, "the loss is a sum, or mixes samples"),
        ({"strategy": Contrastive()}, "the loss is a sum, or mixes samples"),
        ({"model": network(nn.BatchNorm1d(16))}, "module 2 is a batch norm in train mode"),
        ({"model": network(nn.BatchNorm1d(16, track_running_stats=False))}, "is a batch norm in train mode"),
        ({"model": Counting()}, "a forward pass changes buffer calls"),
        (
            {"strategy": Supervised(criterion=nn.functional.cross_entropy, ignore_index=-100)},
            "counts its items on the device",
        ),
        ({"step": print}, "makes its steps by itself"),
    ],
)
def test_what_is_not_the_mean_of_independent_samples_is_refused_with_the_reason(parts, words):
    job = make_job(**parts)
    with pytest.raises(NotApplicable, match=words):
        train_in_parts(job)


def test_a_refused_step_leaves_weights_and_buffers_as_they_were():
    model = Counting()
    before = copy.deepcopy(model.state_dict())
    job = make_job(model)
    GradientAccumulation().apply(job)
    with pytest.raises(NotApplicable):
        train(job, steps=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_hook_on_a_gradient_is_refused():
    job = make_job()
    next(job.model.parameters()).register_hook(lambda gradient: gradient.clamp(-1, 1))
    with pytest.raises(NotApplicable, match=r"parameter 0\.weight has a hook"):
        GradientAccumulation().apply(job)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((torch.zeros(4, 2), torch.zeros(3)), "first dimensions 3, 4"),
        ((torch.zeros(()),), "first dimensions none"),
        ((torch.zeros(4, 2), ["a", "b", "c", "d"]), "holds a str"),
    ],
)
def test_a_batch_that_has_no_one_length_is_refused(batch, words):
    with pytest.raises(NotApplicable, match=words):
        AccumulatedStep(make_job(), microbatches=2)(batch)


def test_a_batch_of_a_single_sample_is_no_accumulation():
    job = make_job()
    job.batches = [(torch.randn(1, 6), torch.zeros(1, dtype=torch.long))]
    GradientAccumulation().apply(job)
    train(job, steps=2)
    assert job.step.calls == 0


def test_a_plan_with_it_survives_toml_and_refuses_one_microbatch():
    plan = Plan((GradientAccumulation(microbatches=4),))
    assert Plan.from_data(plan.to_data()) == plan
    with pytest.raises(ValueError, match="microbatches"):
        GradientAccumulation(microbatches=1)


def test_a_step_that_is_captured_whole_is_not_put_on_top():
    job = make_job()
    GradientAccumulation().apply(job)
    with pytest.raises(NotApplicable, match="gradient_accumulation"):
        WholeStep().apply(job)
