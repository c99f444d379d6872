import math

import pytest
import torch
from torch import nn

from hotloop.workloads.growth.alpha_schedules import SCHEDULES, alpha_at
from hotloop.workloads.growth.blueprint import blueprint_names, build_seed
from hotloop.workloads.growth.growing_network import GrowingNetwork
from hotloop.workloads.growth.slot import Slot
from hotloop.workloads.growth.stages import SlotStage

KINDS = {"cnn": "digits", "transformer": "english"}
SEEDS = [(kind, name) for kind in KINDS for name in blueprint_names(kind)]


@pytest.fixture
def network(request):
    def build(kind):
        task = request.getfixturevalue(KINDS[kind])
        torch.manual_seed(0)
        return GrowingNetwork(task.build_host(), (0,)), task

    return build


def shaken(module):
    """Away from the identity, where seeds begin."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def grown(network, blueprint, stage, schedule="linear", alpha=0.0):
    slot = network.slot("b0")
    slot.plant(blueprint, shaken(build_seed(blueprint, host=network.kind, channels=slot.channels)), schedule)
    slot.stage = stage
    slot.set_alpha(alpha)
    return slot


def gradients(network, task):
    network.zero_grad()
    batch = tuple(part[:16] for part in task.train)
    task.strategy.loss(network, batch).value.backward()
    return {name: parameter.grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize(("kind", "blueprint"), SEEDS)
def test_a_seed_in_training_changes_no_bit_of_the_output_and_of_the_host_s_gradients(network, kind, blueprint):
    plain, task = network(kind)
    before = plain(task.train[0][:16])
    expected = gradients(plain, task)
    grown(plain, blueprint, SlotStage.TRAINING)
    assert plain(task.train[0][:16]).equal(before)
    got = gradients(plain, task)
    assert all(got[name].equal(grad) for name, grad in expected.items())
    seed = {name: grad for name, grad in got.items() if "seed" in name}
    assert all(grad is not None for grad in seed.values())
    assert blueprint == "noop" or any(grad.abs().sum() > 0 for grad in seed.values())


def test_a_seed_that_gives_nan_leaves_the_host_alone_while_it_is_trained(network):
    model, task = network("cnn")
    before = model(task.train[0][:4])
    slot = grown(model, "conv_light", SlotStage.TRAINING)
    nn.init.constant_(slot.seed.last.weight, torch.nan)
    assert model(task.train[0][:4]).equal(before)


@pytest.mark.parametrize("given", [1.0, math.nan, math.inf, -math.inf])
def test_a_seed_in_training_leaves_even_the_sign_of_a_zero(given):
    slot = Slot("cnn", 1, detaches_seeds=True)
    slot.plant("noop", nn.Conv2d(1, 1, 1), "linear")
    nn.init.constant_(slot.seed.bias, given)
    slot.stage = SlotStage.TRAINING
    x = torch.tensor([-0.0, 0.0, 1e-45, -3e38, math.inf]).reshape(1, 1, 1, 5).requires_grad_()
    out = slot(x)
    assert out.view(torch.int32).equal(x.view(torch.int32))
    out.sum().backward()
    assert x.grad.equal(torch.ones_like(x))


@pytest.mark.parametrize(("kind", "blueprint"), SEEDS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_at_alpha_one_the_output_is_the_seed_s_and_at_zero_the_host_s(network, kind, blueprint, schedule):
    model, task = network(kind)
    inputs = task.train[0][:8]
    host = model(inputs)
    slot = grown(model, blueprint, SlotStage.BLENDING, schedule)
    features = model.host.blocks[0](model.host.stem(inputs))
    assert model(inputs).equal(host)
    slot.set_alpha(1.0)
    assert slot(features).equal(slot.seed(features))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_through_a_blended_seed_where_the_host_lets_them(network, kind):
    model, task = network(kind)
    blueprint = {"cnn": "conv_light", "transformer": "mlp"}[kind]
    slot = grown(model, blueprint, SlotStage.BLENDING, alpha=1.0)
    first = "host.blocks.0." + ("1.weight" if kind == "cnn" else "up.weight")
    reaches = gradients(model, task)[first].abs().sum() > 0
    assert reaches == (kind == "transformer")
    slot.stage = SlotStage.HOLDING
    assert gradients(model, task)[first].abs().sum() > 0


def test_a_gate_moves_alpha_by_sample(network):
    model, task = network("cnn")
    slot = grown(model, "conv_light", SlotStage.BLENDING, "gated", alpha=0.5)
    features = model.host.blocks[0](task.train[0][:8])
    assert slot.gate(features, slot.alpha).flatten().tolist() == [0.5] * 8
    nn.init.constant_(slot.gate.layer.weight, 3.0)
    alphas = slot.gate(features, slot.alpha).flatten()
    assert len(set(alphas.tolist())) == 8
    assert ((alphas > 0) & (alphas < 1)).all()


def test_a_gate_of_a_causal_host_sees_no_later_token(network):
    model, task = network("transformer")
    grown(model, "self_attention", SlotStage.BLENDING, "gated", alpha=0.5)
    shaken(model.slot("b0").gate)
    tokens = task.train[0][:2].clone()
    before = model(tokens)[:, :20]
    tokens[:, 20:] = 5
    assert torch.allclose(model(tokens)[:, :20], before, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_alpha_rises_from_zero_to_exactly_one(schedule):
    alphas = [alpha_at(schedule, epoch, of=5) for epoch in range(8)]
    assert (alphas[0], alphas[5:]) == (0.0, [1.0, 1.0, 1.0])
    assert alphas[:6] == sorted(set(alphas[:6]))


@pytest.mark.parametrize(("kind", "blueprint"), SEEDS)
def test_every_blueprint_begins_near_the_identity_and_keeps_the_shape(network, kind, blueprint):
    model, task = network(kind)
    slot = model.slot("b0")
    features = model.host.blocks[0](model.host.stem(task.train[0][:4]))
    out = build_seed(blueprint, host=kind, channels=slot.channels)(features)
    assert torch.allclose(out, features, atol=1e-6)
