"""Transforms that act on a model and its optimizer, met where the hooks meet them."""

import copy

import pytest
import torch
from torch import nn

from hotloop.transform import Plan
from hotloop.transforms.autocast import Autocast
from hotloop.transforms.channels_last import ChannelsLast
from hotloop.transforms.compile import Compile
from hotloop.transforms.data_loading import DataLoading
from hotloop.transforms.fused_optimizer import FusedOptimizer
from hotloop.workloads.hooks import Sites, hooked


class Nobody:
    """Events that nobody listens to."""

    def before_training(self):
        pass

    def loss(self, value):
        pass

    def root(self, module):
        pass

    def step(self, optimizer):
        pass


@pytest.fixture
def met():
    """A context in which a program meets a plan; gives the sites."""

    def meet(*transforms):
        sites = Sites(Plan(transforms))
        return sites, hooked(sites, Nobody())

    yield meet
    torch._dynamo.reset()


def make_mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def test_compile_keeps_the_keys_of_the_state(met):
    model = make_mlp()
    keys = list(model.state_dict())
    sites, hooks = met(Compile(backend="aot_eager"))
    with hooks:
        model(torch.randn(3, 4)).sum().backward()
    assert sites.applied["compile"] == 1
    assert list(model.state_dict()) == keys
    sites.plan.transforms[0].confirm()


@pytest.mark.parametrize("compiled", ["wrapped", "in place", "inside"])
def test_compile_leaves_a_program_alone_that_compiles_itself(met, compiled):
    model = make_mlp()
    called = torch.compile(model, backend="eager") if compiled == "wrapped" else model
    if compiled != "wrapped":
        (model if compiled == "in place" else model[0]).compile(backend="eager")
    sites, hooks = met(Compile(backend="eager"))
    with hooks:
        called(torch.randn(3, 4))
    assert sites.applied["compile"] == 0
    assert "already compiles" in sites.refused["compile"]


def test_a_model_under_autocast_answers_in_fp32(met):
    model, x = make_mlp(), torch.randn(3, 4)
    plain = model(x)
    _, hooks = met(Autocast())
    with hooks:
        lowered = model(x)
    assert lowered.dtype is torch.float32
    assert not torch.equal(lowered, plain)
    assert torch.allclose(lowered, plain, atol=0.05)


def test_a_copy_of_a_model_under_autocast_computes_with_its_own_parameters(met):
    model, x = make_mlp(), torch.randn(3, 4)
    _, hooks = met(Autocast())
    with hooks:
        model(x)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
        assert twin(x).abs().max() == 0
        assert model(x).abs().max() > 0


def test_autocast_leaves_a_program_alone_that_autocasts_itself(met):
    sites, hooks = met(Autocast())
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16):
        make_mlp()(torch.randn(3, 4))
    assert sites.refused["autocast"] == "the program already runs under autocast"


def test_autocast_starts_from_fp32(met):
    sites, hooks = met(Autocast())
    with hooks:
        make_mlp().double()(torch.randn(3, 4).double())
    assert "float64" in sites.refused["autocast"]


def test_channels_last_has_nothing_to_do_on_an_mlp(met):
    sites, hooks = met(ChannelsLast())
    with hooks:
        make_mlp()(torch.randn(3, 4))
    assert "no 2-d convolution" in sites.refused["channels_last"]


def test_channels_last_lays_out_weights_and_images(met):
    seen = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    model[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    sites, hooks = met(ChannelsLast())
    with hooks:
        model(torch.randn(2, 3, 8, 8))
    assert sites.applied["channels_last"] == 1
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_fused_flag_survives_a_checkpoint_of_the_plain_run(met):
    model = make_mlp()
    checkpoint = torch.optim.AdamW(model.parameters()).state_dict()
    _, hooks = met(FusedOptimizer())
    with hooks:
        optimizer = torch.optim.AdamW(model.parameters())
        optimizer.load_state_dict(checkpoint)
    assert [group["fused"] for group in optimizer.param_groups] == [True]
    assert not any(group["foreach"] for group in optimizer.param_groups)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (torch.optim.Rprop, "torch has no fused Rprop"),
        (lambda p: torch.optim.AdamW(p, fused=True), "itself asks for a fused"),
        (lambda p: torch.optim.AdamW(p, differentiable=True), "differentiable AdamW cannot be fused"),
    ],
)
def test_an_optimizer_that_cannot_be_fused_is_left_alone(met, build, words):
    sites, hooks = met(FusedOptimizer())
    with hooks:
        build(make_mlp().parameters())
    assert words in sites.refused["fused_optimizer"]


def test_a_program_without_loaders_shows_data_loading_no_site(met):
    sites, hooks = met(DataLoading())
    with hooks:
        make_mlp()(torch.randn(3, 4))
    assert sites.applied["data_loading"] == 0


def test_data_loading_leaves_a_program_alone_that_has_workers(met):
    sites, hooks = met(DataLoading())
    with hooks:
        torch.utils.data.DataLoader([1, 2], num_workers=1)
    assert "already uses 1 loader workers" in sites.refused["data_loading"]


def test_data_loading_changes_the_loader_that_the_program_builds(met):
    _, hooks = met(DataLoading(workers=1, prefetch=3))
    with hooks:
        loader = torch.utils.data.DataLoader([1, 2], 1)
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (1, 3, True)
