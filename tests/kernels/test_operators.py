"""The compiled operators under torch.compile, and the network in one operator."""

import pytest
import torch

from hotloop import kernels
from hotloop.kernels import reference
from hotloop.models.residual import ResPSANN
from hotloop.models.sine import SineParam


def residual(**options):
    torch.manual_seed(0)
    net = ResPSANN(3, 2, **{"hidden_layers": 3, "hidden_units": 20, "residual_alpha_init": 0.3} | options)
    flat = torch.nn.utils.parameters_to_vector(net.parameters()).detach().requires_grad_()
    return net, flat, torch.randn(300, 3)


def gradient(net):
    return torch.cat([value.grad.flatten() for value in net.parameters()])


def test_a_network_in_one_operator_is_the_network(native):
    net, flat, x = residual()
    with kernels.prefer("torch"):
        expected = net(x)
        expected.square().sum().backward()
    got = net.forward_flat(x, flat)
    got.square().sum().backward()
    assert "Cpp" in type(got.grad_fn).__name__
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(flat.grad, gradient(net), rtol=1e-4, atol=1e-4)


def test_a_network_in_one_operator_differentiates_its_input(native):
    net, flat, x = residual()
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    net.forward_flat(ours, flat).square().sum().backward()
    net(theirs).square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"norm": "layer"}, {"norm": "none"}, {"activation": "tanh"}, {"drop_path_max": 0.5}, {"hidden_layers": 0}],
    ids=str,
)
def test_a_network_that_the_operator_does_not_know_runs_layer_by_layer(options):
    net, flat, x = residual(**options)
    torch.manual_seed(1)
    expected = net(x)
    torch.manual_seed(1)
    torch.testing.assert_close(net.forward_flat(x, flat), expected)


def test_without_compiled_kernels_flat_parameters_still_train():
    net, flat, x = residual()
    with kernels.prefer("torch"):
        net.forward_flat(x, flat).square().sum().backward()
        net(x).square().sum().backward()
    torch.testing.assert_close(flat.grad, gradient(net))


def test_a_vector_of_the_wrong_length_is_named(native):
    net, flat, x = residual()
    with pytest.raises(RuntimeError, match="give them all in one vector"):
        net.forward_flat(x, flat.detach()[:-1])


def test_the_backward_operator_leaves_what_forward_kept(native):
    net, flat, x = residual()
    out = net.forward_flat(x, flat)
    first = torch.autograd.grad(out.sum(), flat, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(out.sum(), flat)[0])


@pytest.mark.parametrize("name", ["residual_network_forward", "sine_backward", "rms_norm_backward"])
def test_the_operators_pass_torchs_own_check(native, name):
    _, flat, x = residual()
    z, w = torch.randn(9, 4), torch.randn(4)
    arguments = {
        "residual_network_forward": (x, flat.detach(), 20, 3, 2, 1e-8, 1, ()),
        "sine_backward": (z, z, z.clone(), z.clone(), w, w, w, None, 1, 1, ()),
        "rms_norm_backward": (z, z, w, torch.rand(9), 1),
    }[name]
    torch.library.opcheck(getattr(torch.ops.hotloop, name), arguments)


@pytest.mark.parametrize("feature_dim", [-1, 1])
def test_torch_compile_keeps_the_operators_and_the_result(native, feature_dim):
    torch.manual_seed(0)
    act = SineParam(6, feature_dim=feature_dim)
    z = torch.randn((5, 6) if feature_dim == -1 else (5, 6, 3, 2))
    compiled = torch.compile(act, backend="aot_eager", fullgraph=True)
    eager = torch.autograd.grad(act(z).square().sum(), list(act.parameters()))
    traced = torch.autograd.grad(compiled(z).square().sum(), list(act.parameters()))
    torch.testing.assert_close(traced, eager)


def test_torch_compile_traces_the_network_in_one_operator(native):
    net, flat, x = residual()
    compiled = torch.compile(net.forward_flat, backend="aot_eager", fullgraph=True)
    eager = torch.autograd.grad(net.forward_flat(x, flat).square().sum(), flat)[0]
    torch.testing.assert_close(torch.autograd.grad(compiled(x, flat).square().sum(), flat)[0], eager)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("feature_dim", [-1, 1])
def test_cuda_agrees_with_pure_torch(feature_dim):
    torch.manual_seed(0)
    z = torch.randn((50, 37) if feature_dim == -1 else (5, 37, 4, 3), device="cuda", requires_grad=True)
    raw = [torch.randn(37, device="cuda", requires_grad=True) for _ in range(3)]
    got = kernels.sine(z, *raw, feature_dim=feature_dim)
    wanted = reference.sine(z, *raw, None, feature_dim=feature_dim, decay_mode="abs", bounds=None)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)
    pairs = zip(
        torch.autograd.grad(got.square().sum(), [z, *raw]),
        torch.autograd.grad(wanted.square().sum(), [z, *raw]),
        strict=True,
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
