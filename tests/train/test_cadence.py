import pytest
import torch
from torch import nn

from hotloop.train.cadence import StateCadence
from hotloop.train.episodic import SupervisedOptions, train_episodic, train_supervised
from hotloop.train.flat.loss_scale import LossScale
from hotloop.train.flat.optimizer import FlatOptimizer
from hotloop.train.flat.parameters import FlatParameters
from hotloop.train.flat.step import FlatStep
from hotloop.workload import Loss


class Spy(nn.Module):
    """Notes what is done to it, in order."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 2))
        self.calls = []

    def forward(self, x):
        self.calls.append("forward")
        outputs = x @ self.weight
        if outputs.requires_grad:
            outputs.register_hook(lambda grad: self.calls.append("backward"))
        return outputs

    def reset_state(self):
        self.calls.append("reset")

    def commit_state_updates(self):
        self.calls.append("commit")


def episodic(model, series, options, **changes):
    train_episodic(model, series, options(batch_episodes=1, updates_per_epoch=4, **changes), seed=0)


def supervised(model, series, options, **changes):
    chosen = SupervisedOptions(epochs=2, batch_size=15, **changes)
    train_supervised(model, series, series[:, :2], chosen, seed=0)


def test_2_2_reset_forward_backward_step_commit_in_this_order(flat_series, options, monkeypatch):
    model = Spy()
    update = FlatOptimizer.update
    monkeypatch.setattr(FlatOptimizer, "update", lambda self, skip: (model.calls.append("step"), update(self, skip)))
    episodic(model, flat_series, options, fused=False)
    assert model.calls == ["reset", "forward", "backward", "step", "commit"] * 8


@pytest.mark.parametrize("train", [episodic, supervised])
@pytest.mark.parametrize(("cadence", "resets"), [("batch", 8), ("epoch", 2), ("none", 0)])
def test_2_1_2_3_the_cadence_is_the_same_in_both_loops(flat_series, options, train, cadence, resets):
    model = Spy()
    train(model, flat_series, options, state_reset=cadence)
    assert model.calls.count("reset") == resets
    assert model.calls.count("commit") == 8


def test_s2b_the_state_changes_only_through_commit(make, flat_series, options):
    model = make["stateful"]()
    (controller,) = model.controllers()
    states = []
    model.register_forward_hook(lambda *_: states.append(controller.state.clone()))
    episodic(model, flat_series, options, state_reset="epoch")
    assert torch.equal(states[0], torch.ones(8))
    assert torch.equal(states[4], torch.ones(8))
    assert not torch.equal(states[1], states[0])
    assert not torch.equal(controller.state, states[-1])


def test_2_2c_updates_can_be_turned_off(make, flat_series, options):
    model = make["stateful"]()
    (controller,) = model.controllers()
    episodic(model, flat_series, options, state_reset="none", state_updates=False)
    assert controller.staged is None
    assert torch.equal(controller.state, torch.ones(8))


def test_2_2c_without_updates_the_first_loss_is_the_same(make, flat_series, options):
    chosen = {"epochs": 1, "batch_episodes": 1, "updates_per_epoch": 1}
    runs = [
        train_episodic(make["stateful"](), flat_series, options(state_updates=updates, **chosen), seed=0)
        for updates in (None, True, False)
    ]
    assert len({run.history[0].reward for run in runs}) == 1
    assert runs[0].profile.stateful


def test_2_2c_for_a_model_without_state_it_is_warned_of(make, flat_series, options):
    with pytest.warns(UserWarning, match="keeps no state"):
        episodic(make["linear"](), flat_series, options, state_updates=False)


class Scripted:
    """A strategy whose loss is large enough to overflow in chosen steps."""

    def __init__(self, *factors):
        self.factors = list(factors)

    def loss(self, model, batch):
        return Loss(model(batch).mean() * self.factors.pop(0), 1)


@pytest.mark.parametrize(("factor", "scaled"), [(1e38, True), (float("nan"), False)])
def test_2_2_defect_11_a_skipped_step_does_not_commit(factor, scaled):
    model = Spy()
    flat = FlatParameters(model)
    step = FlatStep(
        model,
        Scripted(1.0, factor, 1.0),
        FlatOptimizer(flat, "adam", lr=0.1),
        nonfinite="skip",
        scale=LossScale(torch.device("cpu")) if scaled else None,
        state=StateCadence(model, "none"),
    )
    values = [flat.values.clone()]
    for _ in range(3):
        step(torch.ones(4, 3))
        values.append(flat.values.clone())
    assert model.calls.count("commit") == 2
    assert torch.equal(values[1], values[2])
    assert not torch.equal(values[2], values[3])


def test_an_overflow_of_the_scaled_gradient_is_no_error_and_halves_the_scale():
    model, scale = Spy(), LossScale(torch.device("cpu"))
    step = FlatStep(
        model, Scripted(1.0, 1e38), FlatOptimizer(FlatParameters(model), "adam", lr=0.1), scale=scale, nonfinite="stop"
    )
    losses = [step(torch.ones(4, 3)).value for _ in range(2)]
    assert all(loss.isfinite() for loss in losses)
    assert scale.scale.item() == 32768.0
