"""The compiled operators under torch.compile."""

import pytest
import torch

from hotloop import kernels
from hotloop.kernels import reference
from hotloop.models.sine import SineParam


@pytest.mark.parametrize("name", ["sine_backward", "rms_norm_backward"])
def test_the_operators_pass_torchs_own_check(native, name):
    z, w = torch.randn(9, 4), torch.randn(4)
    arguments = {
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
