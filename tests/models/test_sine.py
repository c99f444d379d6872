import pytest
import torch
from torch.nn import functional

from hotloop.models.dense import DensePSANN
from hotloop.models.relu_sigmoid import ReLUSigmoidPSANN
from hotloop.models.sine import SineParam


def test_initial_values_are_what_was_asked_for():
    act = SineParam(3, amplitude_init=2.0, frequency_init=torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(functional.softplus(act.amplitude), torch.full((3,), 2.0))
    torch.testing.assert_close(functional.softplus(act.frequency), torch.tensor([0.5, 1.0, 2.0]))
    torch.testing.assert_close(functional.softplus(act.decay), torch.full((3,), 0.1))


@pytest.mark.parametrize(
    ("learnable", "wanted"),
    [("all", 3), ("none", 0), ("decay", 1), (["amplitude", "decay"], 2), ((), 0), ("*", 3)],
)
def test_only_what_is_learnable_gets_a_gradient(learnable, wanted):
    act = SineParam(4, learnable=learnable)
    act(torch.randn(2, 4, requires_grad=True)).sum().backward()
    assert sum(value.grad is not None for value in act.parameters()) == wanted


def test_a_phase_is_learnt_where_asked_for():
    act = SineParam(4, phase_init=0.3)
    act(torch.randn(2, 4)).sum().backward()
    assert act.phase.grad.abs().sum() > 0
    assert not SineParam(4, phase_init=0.3, phase_learnable=False).phase.requires_grad


def test_bounds_hold():
    act = SineParam(2, amplitude_init=5.0, bounds={"amplitude": (None, 1.0)}, decay_mode="none")
    assert act(torch.linspace(-9, 9, 400).view(-1, 2)).abs().max() <= 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": 0}, "at least 1"),
        ({"features": 3, "decay_mode": "square"}, "choose one of abs, none, relu"),
        ({"features": 3, "learnable": "phase"}, "choose from amplitude"),
        ({"features": 3, "bounds": {"gain": (0, 1)}}, "bounds can be given for"),
        ({"features": 3, "bounds": {"decay": (2, 1)}}, "swap them"),
        ({"features": 3, "decay_init": torch.ones(2)}, "one for each of 3 features"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        SineParam(**options)


@pytest.mark.parametrize("kind", ["psann", "relu", "tanh", "relu_sigmoid_psann", "sine", "rsp", "ReLU"])
def test_every_kind_of_activation_can_be_built(kind):
    assert DensePSANN(3, 3, activation=kind)(torch.randn(2, 3)).shape == (2, 3)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="choose one of psann, relu"):
        DensePSANN(3, 3, activation="swish")


def test_relu_sigmoid_is_zero_below_zero_and_clipped_above():
    act = ReLUSigmoidPSANN(2, clip_max=0.7)
    assert act(-torch.rand(5, 2)).eq(0).all()
    assert act(torch.full((1, 2), 50.0)).eq(0.7).all()
    with pytest.raises(ValueError, match="above 0"):
        ReLUSigmoidPSANN(2, clip_max=0)
