import faults
import pytest
import torch

from hotloop.verify.recorded_step import find_start_state, record_step
from models import FAST, SLOW, recipe


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_a_step_repeats_itself_and_fp64_is_near(name):
    start = find_start_state(recipe(name))
    one, other = record_step(recipe(name), start_state=start), record_step(recipe(name))
    reference = record_step(recipe(name), dtype=torch.float64, start_state=start)
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=0)
    assert one.loss == other.loss
    assert reference.loss == pytest.approx(one.loss, rel=1e-5)
    assert reference.epsilon < one.epsilon


def test_every_change_starts_from_the_same_state():
    start = find_start_state(recipe("mlp"))
    step = record_step(recipe("mlp"), prepare=faults.scaled_gradients, start_state=start)
    for name, weight in step.weights.items():
        torch.testing.assert_close(weight - step.updates[name], start.weights[name])


def test_the_same_seed_perturbs_alike_and_another_does_not():
    first, again, other = (record_step(recipe("mlp"), noise=2.0**-9, noise_seed=seed).loss for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_captured_step_shows_its_gradients_by_optimizer_state_only():
    step = record_step(recipe("mlp"), prepare=faults.captured("aten"))
    assert not step.gradients
    assert step.state["layers.0.weight.exp_avg"].any()
