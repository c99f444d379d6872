import pytest
import torch
from torch import nn

from hotloop.worker.noise import StartingNoise, add_weight_noise


def model(dtype=torch.float32):
    layer = nn.Linear(30, 40, dtype=dtype)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_weights_move_by_the_scale_of_the_noise_and_zeros_stay(dtype):
    layer = model()
    add_weight_noise(layer, 2.0**-9, seed=1, dtype=dtype)
    assert (layer.weight - 1).std().item() == pytest.approx(2.0**-9, rel=0.1)
    assert not layer.bias.any()


def test_the_same_seed_gives_the_same_noise_and_another_does_not():
    layers = [model() for _ in range(3)]
    for layer, seed in zip(layers, (1, 1, 2), strict=True):
        add_weight_noise(layer, 2.0**-9, seed=seed)
    assert torch.equal(layers[0].weight, layers[1].weight)
    assert not torch.equal(layers[0].weight, layers[2].weight)


def test_noise_keeps_the_dtype_and_the_random_state_of_the_program():
    layer, before = model(torch.bfloat16), torch.get_rng_state()
    add_weight_noise(layer, 2.0**-9, seed=1)
    assert layer.weight.dtype is torch.bfloat16
    assert torch.equal(torch.get_rng_state(), before)


def test_no_noise_changes_nothing():
    layer = model()
    add_weight_noise(layer, 0.0, seed=-1)
    assert torch.equal(layer.weight, torch.ones_like(layer.weight))


def test_noise_that_the_program_overwrites_is_put_on_again_until_training_begins():
    layer, noise = model(), StartingNoise(2.0**-9, seed=1)
    noise.put_on([layer.weight])
    first = layer.weight.detach().clone()
    noise.put_on([layer.weight])
    assert torch.equal(layer.weight, first)
    layer.load_state_dict(model().state_dict())
    noise.put_on([layer.weight])
    assert not torch.equal(layer.weight, torch.ones_like(layer.weight))
    noise.start_training([layer.weight])
    layer.load_state_dict(model().state_dict())
    noise.put_on([layer.weight])
    assert torch.equal(layer.weight, torch.ones_like(layer.weight))


def test_both_parts_of_a_complex_tensor_get_noise():
    weight = torch.ones(50, 50, dtype=torch.cfloat) * (1 + 1j)
    StartingNoise(2.0**-9, seed=1).start_training([weight])
    assert weight.real.std().item() == pytest.approx(2.0**-9, rel=0.1)
    assert not torch.equal(weight.real, weight.imag)
