import pytest
import torch
from torch import nn

from hotloop import kernels
from hotloop.models.conv_residual import ResConvPSANN
from hotloop.models.residual import ResPSANN
from hotloop.train.flat.fused_network import fused_network
from hotloop.train.flat.parameters import FlatParameters

pytestmark = pytest.mark.skipif(kernels.status().cpu != "native", reason="no C++ compiler")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dense(**options):
    return ResPSANN(3, 2, **{"hidden_layers": 2, "hidden_units": 32, **options})


def conv(**options):
    return ResConvPSANN(2, 3, **{"hidden_layers": 2, "channels": 16, **options})


def shaken(model):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


BOUNDED = {"activation_options": {"bounds": {"amplitude": (0.9, 1.05), "decay": (None, 0.1)}}}
CASES = [
    (dense, {}, (64, 3)),
    (dense, {"hidden_units": 16, "hidden_layers": 1}, (1, 3)),
    (dense, {"hidden_units": 48}, (13, 3)),
    (dense, BOUNDED, (20, 3)),
    (dense, {"activation_options": {"decay_mode": "relu"}}, (20, 3)),
    (dense, {"activation_options": {"decay_mode": "none"}}, (20, 3)),
    (conv, {}, (6, 2, 4, 4)),
    (conv, {}, (3, 2, 5, 7)),
    (conv, {}, (2, 2, 1, 1)),
    (conv, {"channels": 48, "hidden_layers": 1}, (70, 2, 4, 4)),
    (conv, {}, (1, 2, 20, 21)),
]


@pytest.mark.parametrize(("build", "options", "shape"), CASES)
def test_a13_a_fused_network_is_as_exact_as_eager_against_fp64(build, options, shape):
    model = shaken(build(**options))
    inputs = torch.randn(shape)
    exact_model = build(**options).double()
    exact_model.load_state_dict(model.state_dict())
    with kernels.prefer("torch"):
        exact = exact_model(inputs.double())
        seed = torch.randn_like(exact)
        exact_grads = torch.cat([g.flatten() for g in torch.autograd.grad(exact, list(exact_model.parameters()), seed)])
        eager = model(inputs)
        eager_grads = torch.cat(
            [g.flatten() for g in torch.autograd.grad(eager, list(model.parameters()), seed.float())]
        )
    flat = FlatParameters(model)
    network = fused_network(model, flat)
    outputs = network(inputs)
    network.backward(seed.float())
    for mine, its, truth in ((outputs, eager, exact), (flat.grads, eager_grads, exact_grads)):
        floor = 2e-6 * truth.abs().max()
        assert (mine - truth).abs().max() <= 4 * (its - truth).abs().max() + floor


@pytest.mark.parametrize(
    "model",
    [
        dense(hidden_units=20),
        dense(norm="layer"),
        dense(drop_path_max=0.1),
        dense(activation="tanh"),
        dense(activation_options={"phase_init": 0.0}),
        dense(activation_options={"learnable": "amplitude"}),
        dense().double(),
        conv(kernel_size=5),
        conv(per_element=True),
        conv().to(memory_format=torch.channels_last),
        nn.Linear(3, 2),
    ],
)
def test_a13_what_the_kernel_does_not_know_trains_layer_by_layer(model):
    assert fused_network(model, FlatParameters(model)) is None


def test_a13_a_hooked_or_partly_frozen_network_is_not_fused():
    hooked, frozen = dense(), dense()
    hooked.blocks[0].register_forward_hook(lambda *_: None)
    frozen.head.weight.requires_grad_(False)
    assert fused_network(hooked, FlatParameters(hooked)) is None
    assert fused_network(frozen, FlatParameters(frozen)) is None


def test_a13_pure_torch_and_several_threads_are_not_fused():
    model = dense()
    flat = FlatParameters(model)
    with kernels.prefer("torch"):
        assert fused_network(model, flat) is None
    torch.set_num_threads(2)
    assert fused_network(model, flat) is None


def test_subclasses_are_not_mistaken_for_the_network():
    class Changed(ResPSANN):
        def forward(self, x):
            return super().forward(x) + 1

    model = Changed(3, 2, hidden_layers=1, hidden_units=16)
    assert fused_network(model, FlatParameters(model)) is None
