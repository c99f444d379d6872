import math

import pytest
import torch

from hotloop.models.dense import DensePSANN
from hotloop.models.state import StateConfig, StateController


def test_only_commit_changes_the_state():
    gain = StateController(3, StateConfig(rho=0.5, beta=2.0, init=1.5, max_abs=4.0))
    y = torch.tensor([[1.0, -2.0, 3.0], [3.0, 2.0, -1.0]])
    torch.testing.assert_close(gain(y), 1.5 * y)
    assert gain.state.eq(1.5).all()
    gain.commit()
    wanted = 4.0 * torch.tanh((0.5 * 1.5 + 0.5 * 2.0 * 1.5 * torch.full((3,), 2.0)) / 4.0)
    torch.testing.assert_close(gain.state, wanted)


def test_a_commit_without_a_forward_changes_nothing():
    gain = StateController(2)
    gain.commit()
    assert gain.state.eq(1).all()


def test_backward_after_a_commit_uses_the_state_of_the_forward():
    gain = StateController(2)
    y = torch.ones(3, 2, requires_grad=True)
    out = gain(y)
    gain.commit()
    out.sum().backward()
    assert y.grad.eq(1).all()


def test_nothing_is_staged_in_eval_mode_or_when_switched_off():
    gain = StateController(2).eval()
    gain(torch.ones(3, 2))
    assert gain.staged is None
    net = DensePSANN(2, 1, hidden_units=4, state=StateConfig())
    net.set_state_updates(False)
    on = net(torch.ones(3, 2))
    assert all(controller.staged is None for controller in net.controllers())
    net.set_state_updates(True)
    assert torch.equal(net(torch.ones(3, 2)), on)
    assert all(controller.staged is not None for controller in net.controllers())


def test_the_mean_is_over_all_other_dimensions():
    gain = StateController(3, StateConfig(rho=0.0), feature_dim=1)
    y = torch.randn(4, 3, 2, 5)
    gain(y)
    gain.commit()
    torch.testing.assert_close(gain.state, 5.0 * torch.tanh(y.abs().mean(dim=(0, 2, 3)) / 5.0))


def test_reset_goes_to_one_and_forgets():
    net = DensePSANN(2, 1, hidden_units=4, state=StateConfig(init=3.0))
    net(torch.randn(5, 2))
    net.reset_state()
    net.commit_state_updates()
    assert all(controller.state.eq(1).all() for controller in net.controllers())
    assert len(net.controllers()) == 2


def test_check_warns_of_a_saturated_and_of_a_vanished_state():
    gain = StateController(2)
    gain.reset(4.95)
    with pytest.warns(RuntimeWarning, match="lower beta or raise rho"):
        gain.check()
    gain.reset(1e-4)
    with pytest.warns(RuntimeWarning, match="raise beta or init"):
        gain.check()


@pytest.mark.parametrize("wrong", [{"rho": 1.0}, {"beta": -1.0}, {"max_abs": 0.0}, {"init": math.inf}], ids=str)
def test_wrong_options_are_named(wrong):
    with pytest.raises(ValueError, match=f"got {next(iter(wrong))}="):
        StateConfig(**wrong)
