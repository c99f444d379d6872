import copy

import pytest
import torch
from jobs import Attention, cnn, inputs_for, job, mlp
from torch import nn
from torch.optim import SGD, Adam, AdamW

from hotloop.compile.capture import MAX_CAPTURES, CapturedStep, tally
from hotloop.errors import HotloopError, NotApplicable
from hotloop.train.loop import train
from hotloop.train.strategies.supervised import Supervised

# Biases before a normalisation have no gradient but rounding, which Adam with its own eps would blow up to full steps.
EPS = 1e-3
OPTIMIZERS = {
    "sgd": (SGD, {}),
    "sgd with decay": (SGD, {"weight_decay": 0.1, "maximize": True, "lr": 1e-3}),
    "momentum": (SGD, {"momentum": 0.9, "dampening": 0.1}),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (Adam, {"weight_decay": 0.01, "eps": EPS}),
    "amsgrad": (Adam, {"amsgrad": True, "eps": EPS}),
    "adamw": (AdamW, {"eps": EPS}),
    "fused adamw": (AdamW, {"fused": True, "eps": EPS}),
}


def captured(job, **options):
    job.step = CapturedStep(job, **{"backend": "aten", **options})
    return job


@pytest.fixture
def captures():
    """Says how many graphs were captured since the test began."""
    before = tally.captures
    return lambda: tally.captures - before


def assert_same(one, other, *, tolerance=2e-5):
    torch.testing.assert_close(one.model.state_dict(), other.model.state_dict(), rtol=tolerance, atol=tolerance)
    mine, theirs = one.optimizer.state_dict(), other.optimizer.state_dict()
    torch.testing.assert_close(mine["state"], theirs["state"], rtol=tolerance, atol=tolerance)
    assert mine["param_groups"] == theirs["param_groups"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", [mlp, cnn, Attention], ids=lambda kind: kind.__name__)
def test_twenty_captured_steps_equal_twenty_eager_ones(kind, optimizer):
    make, options = OPTIMIZERS[optimizer]
    eager, whole = job(kind, make, **options), captured(job(kind, make, **options))
    assert train(whole, steps=20).loss == pytest.approx(train(eager, steps=20).loss, rel=1e-5)
    assert_same(whole, eager)


@pytest.mark.parametrize("kind", [mlp, cnn, Attention], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
def test_inductor_makes_the_same_steps(kind, optimizer):
    make, options = OPTIMIZERS[optimizer]
    eager, whole = job(kind, make, **options), captured(job(kind, make, **options), backend="inductor")
    train(whole, steps=20)
    train(eager, steps=20)
    assert_same(whole, eager, tolerance=2e-4)


@pytest.mark.parametrize("clip_norm", [0.01, 1e6])
def test_gradients_are_clipped(clip_norm):
    eager, whole = job(clip_norm=clip_norm, optimizer=SGD), captured(job(clip_norm=clip_norm, optimizer=SGD))
    train(whole, steps=5)
    train(eager, steps=5)
    assert_same(whole, eager)


@pytest.mark.parametrize("optimizer", [SGD, AdamW])
def test_a_scheduler_takes_effect_without_a_second_capture(optimizer, captures):
    jobs = job(optimizer=optimizer), captured(job(optimizer=optimizer))
    for each in jobs:
        each.scheduler = torch.optim.lr_scheduler.OneCycleLR(each.optimizer, 0.1, total_steps=25, cycle_momentum=False)
        train(each, steps=20)
    assert_same(*jobs)
    assert captures() == 1


def test_a_learning_rate_of_zero_moves_nothing_and_makes_no_nan():
    whole = captured(job(Attention, lr=0.0, weight_decay=0.5))
    before = {name: value.clone() for name, value in whole.model.state_dict().items()}
    train(whole, steps=5)
    torch.testing.assert_close(whole.model.state_dict(), before)


def test_a_changed_option_of_the_optimizer_is_noticed():
    jobs = job(), captured(job())
    for each in jobs:
        train(each, steps=5)
        each.optimizer.param_groups[0]["weight_decay"] = 0.9
        train(each, steps=5)
    assert_same(*jobs)


def test_a_smaller_last_batch_gets_its_own_graph(captures):
    sizes = (8, 8, 8, 5)
    eager, whole = job(cnn, SGD, sizes=sizes), captured(job(cnn, SGD, sizes=sizes))
    train(whole, epochs=3)
    train(eager, epochs=3)
    assert_same(whole, eager)
    assert captures() == 2


def test_the_ninth_shape_is_an_error_and_not_a_silent_eager_step():
    whole = captured(job(optimizer=SGD, sizes=range(1, MAX_CAPTURES + 2)))
    with pytest.raises(HotloopError, match="captured 8 times"):
        train(whole, epochs=1)


def test_eval_mode_is_noticed():
    jobs = job(cnn, SGD), captured(job(cnn, SGD))
    for each in jobs:
        train(each, steps=5)
        each.model[1].eval()
        train(each, steps=5)
        each.model.train()
        train(each, steps=5)
    assert_same(*jobs)


def test_a_frozen_parameter_is_noticed_and_keeps_its_value():
    jobs = job(), captured(job())
    for each in jobs:
        train(each, steps=3)
        each.model[0].weight.requires_grad_(False)
        train(each, steps=3)
        each.model[0].weight.requires_grad_(True)
        train(each, steps=3)
    assert_same(*jobs)


def test_parameters_without_a_gradient_are_left_alone():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, inputs):
            return self.used(inputs)

    eager, whole = job(Partly), captured(job(Partly))
    train(whole, steps=5)
    train(eager, steps=5)
    assert_same(whole, eager)


def test_training_goes_on_eagerly_from_captured_state_and_back():
    jobs = job(), captured(job())
    step = jobs[1].step
    for each in jobs:
        train(each, steps=7)
        each.step = None
        train(each, steps=7)
    jobs[1].step = step
    for each in jobs:
        train(each, steps=7)
    assert_same(*jobs)
    assert jobs[1].optimizer.state_dict()["state"][0]["step"] == 21


def test_loaded_state_is_used_without_a_second_capture(captures):
    eager, whole, other = job(), captured(job()), job(lr=0.05)
    train(other, steps=9)
    train(whole, steps=3)
    for each in (eager, whole):
        each.model.load_state_dict(other.model.state_dict())
        each.optimizer.load_state_dict(copy.deepcopy(other.optimizer.state_dict()))
        train(each, steps=5)
    assert_same(whole, eager)
    assert captures() == 1


@pytest.mark.parametrize("backend", ["aten", "inductor"])
def test_dropout_draws_afresh_each_step(backend):
    whole = job(lambda: mlp(dropout=0.5), lr=0.0, sizes=())
    whole.batches = [inputs_for(mlp, 8)]
    losses = []
    captured(whole, backend=backend)
    train(whole, steps=6, on_step=lambda loss: losses.append(loss.item()))
    assert len(set(losses)) == 6


def test_each_step_returns_a_loss_of_its_own():
    losses = []
    train(captured(job(), backend="inductor"), steps=4, on_step=losses.append)
    assert len({loss.data_ptr() for loss in losses}) == 4


def test_metrics_and_counts_come_out_of_the_graph():
    strategy = Supervised(
        criterion=lambda outputs, targets: nn.functional.cross_entropy(outputs, targets, ignore_index=2),
        ignore_index=2,
        metrics={"right": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()},
    )
    expected, got = train(job(strategy=strategy), steps=20), train(captured(job(strategy=strategy)), steps=20)
    assert got.count == expected.count
    assert got.loss == pytest.approx(expected.loss, rel=1e-5)
    assert got.metrics == pytest.approx(expected.metrics)


def test_autocast_is_captured():
    whole = captured(job(optimizer=SGD), dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = whole.strategy.loss(whole.model, whole.batches[0]).value
    assert whole.step(whole.batches[0]).value == expected
    assert all(parameter.dtype is torch.float32 for parameter in whole.model.parameters())


def test_dicts_of_tensors_are_batches_too():
    class Named:
        def loss(self, model, batch):
            return Supervised(criterion=nn.functional.cross_entropy).loss(model, (batch["x"], batch["y"][0]))

    eager, whole = job(strategy=Named()), captured(job(strategy=Named()))
    for each in (eager, whole):
        each.batches = [{"x": x, "y": [y]} for x, y in each.batches]
        train(each, steps=5)
    assert_same(whole, eager)


def hook_on_module(job):
    job.model[0].register_forward_hook(lambda *_: None)


def hook_on_parameter(job):
    job.model[0].weight.register_hook(lambda grad: grad)


def hook_on_optimizer(job):
    job.optimizer.register_step_post_hook(lambda *_: None)


@pytest.mark.parametrize("register", [hook_on_module, hook_on_parameter, hook_on_optimizer])
def test_hooks_are_refused_before_and_between_steps(register):
    hooked = job()
    register(hooked)
    with pytest.raises(NotApplicable, match="hook"):
        CapturedStep(hooked)
    whole = captured(job())
    train(whole, steps=3)
    register(whole)
    with pytest.raises(NotApplicable, match="hook"):
        train(whole, steps=1)


def test_other_optimizers_are_refused():
    with pytest.raises(NotApplicable, match="Rprop"):
        CapturedStep(job(optimizer=torch.optim.Rprop))


class Reading(nn.Linear):
    def forward(self, inputs):
        return super().forward(inputs) * (2 if inputs.sum() > 0 else 1)


class Counting(nn.Linear):
    calls = 0

    def forward(self, inputs):
        self.calls += 1
        return super().forward(inputs)


class Replacing(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, inputs):
        self.mean = self.mean + inputs.mean()
        return super().forward(inputs)


class Drawing(nn.Linear):
    def forward(self, inputs):
        import random

        return super().forward(inputs) * random.random()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Reading, "value from the device"), (Counting, "Counting.calls"), (Replacing, "mean"), (Drawing, "random")],
)
def test_a_step_that_cannot_be_one_graph_is_refused_with_the_reason(kind, reason):
    whole = captured(job(lambda: kind(6, 3)))
    with pytest.raises(NotApplicable, match=reason):
        train(whole, steps=3)
    assert all(isinstance(p, nn.Parameter) for p in whole.model.parameters())


def test_a_recurrent_net_that_hides_its_parameters_is_refused():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.LSTM(6, 4), nn.Linear(4, 3)

        def forward(self, inputs):
            return self.head(self.cell(inputs)[0])

    with pytest.raises(NotApplicable, match="LSTM"):
        train(captured(job(Recurrent)), steps=3)


def test_an_attribute_that_a_step_reads_is_guarded():
    class Scaled(Supervised):
        def loss(self, model, batch):
            loss = super().loss(model, batch)
            return loss._replace(value=loss.value * self.scale * self.weight)

    jobs = []
    for _ in range(2):
        strategy = Scaled(criterion=nn.functional.cross_entropy)
        vars(strategy).update(scale=1.0, weight=torch.tensor(1.0))
        jobs.append(job(optimizer=SGD, strategy=strategy))
    captured(jobs[1])
    for each in jobs:
        train(each, steps=3)
        vars(each.strategy)["scale"] = 3.0
        each.strategy.weight.fill_(0.5)
        train(each, steps=3)
        vars(each.strategy)["weight"] = torch.tensor(2.0)
        train(each, steps=3)
    assert_same(*jobs)


def test_a_model_moved_to_another_dtype_gets_its_own_graph():
    jobs = job(optimizer=SGD), captured(job(optimizer=SGD))
    for each in jobs:
        train(each, steps=3)
        each.model.double()
        each.batches = [(x.double(), y) for x, y in each.batches]
        train(each, steps=3)
    assert_same(*jobs)
    assert jobs[1].model[0].weight.dtype is torch.float64


def test_options_that_change_at_every_step_end_in_a_clear_error():
    whole = captured(job(optimizer=AdamW))
    whole.scheduler = torch.optim.lr_scheduler.OneCycleLR(whole.optimizer, 0.1, total_steps=25)
    with pytest.raises(HotloopError, match="cycle_momentum=False"):
        train(whole, steps=20)
