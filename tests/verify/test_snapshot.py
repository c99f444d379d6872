from collections import namedtuple
from dataclasses import dataclass

import faults
import pytest
import torch

from hotloop.verify.snapshot import _recast, modes, origin_of, preserved_settings, start, take_step
from models import FAST, SLOW, recipe

Pair = namedtuple("Pair", "rows name")


@dataclass(frozen=True)
class Named:
    rows: torch.Tensor
    name: str


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_a_step_repeats_itself_and_fp64_is_near(name):
    origin = origin_of(recipe(name))
    one, other = take_step(recipe(name), origin=origin), take_step(recipe(name))
    reference = take_step(recipe(name), dtype=torch.float64, origin=origin)
    torch.testing.assert_close(one.weights, other.weights, rtol=0, atol=0)
    assert one.loss == other.loss
    assert reference.loss == pytest.approx(one.loss, rel=1e-5)
    assert reference.epsilon < one.epsilon


def test_every_change_starts_from_the_same_state():
    origin = origin_of(recipe("mlp"))
    step = take_step(recipe("mlp"), prepare=faults.scaled_gradients, origin=origin)
    for name, weight in step.weights.items():
        torch.testing.assert_close(weight - step.updates[name], origin.weights[name])


def test_the_same_seed_perturbs_alike_and_another_does_not():
    first, again, other = (take_step(recipe("mlp"), perturb=2.0**-9, perturb_seed=seed).loss for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_captured_step_shows_its_gradients_by_optimizer_state_only():
    step = take_step(recipe("mlp"), prepare=faults.captured("aten"))
    assert not step.gradients
    assert step.state["layers.0.weight.exp_avg"].any()


@pytest.mark.parametrize("name", ["mlp", "gpt", "lstm", "bert"])
def test_silence_finds_every_dropout(name):
    silent = modes(start(recipe(name)).model)
    assert not any(rate for mode in silent.values() for rate in mode.rates.values())
    assert any(rate for mode in modes(recipe(name)().model).values() for rate in mode.rates.values())


@pytest.mark.parametrize(
    "wrap",
    [lambda x: (x, 1), lambda x: [x], lambda x: {"a": {"b": x}}, lambda x: Pair(x, "n"), lambda x: Named(x, "n")],
)
def test_batches_of_every_shape_are_recast(wrap):
    rows = torch.ones(2)
    assert _recast(wrap(rows), torch.float64).__class__ is wrap(rows).__class__
    assert "float64" in repr(_recast(wrap(rows), torch.float64))


def test_settings_of_the_process_come_back():
    before = torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision, torch.rand(1).item()
    torch.manual_seed(3)
    expected = torch.rand(2)[1]
    torch.manual_seed(3)
    torch.rand(1)
    with preserved_settings():
        torch.set_float32_matmul_precision("medium")
        torch.backends.mkldnn.conv.fp32_precision = "bf16"
        torch.rand(5)
    assert (torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision) == before[:2]
    assert torch.rand(1)[0] == expected
