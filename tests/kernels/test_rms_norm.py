import math

import pytest
import torch
from torch import nn

from hotloop import kernels
from hotloop.kernels import reference

LAYOUTS = {
    "dense": ((300, 37), -1, torch.contiguous_format),
    "one row": ((37,), -1, torch.contiguous_format),
    "no rows": ((0, 37), -1, torch.contiguous_format),
    "channels": ((3, 37, 20, 31), 1, torch.contiguous_format),
    "channels last": ((3, 37, 5, 9), 1, torch.channels_last),
}


def run(function, x, weight):
    leaves = [value.detach().clone(memory_format=torch.preserve_format).requires_grad_() for value in (x, weight)]
    y = function(*leaves)
    y.backward(torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape))
    return [y.detach(), *(leaf.grad for leaf in leaves)]


def sample(layout):
    torch.manual_seed(0)
    shape, feature_dim, memory_format = LAYOUTS[layout]
    return (3 * torch.randn(shape)).contiguous(memory_format=memory_format), torch.randn(37), feature_dim


def error(got, exact):
    return float((got.double() - exact).abs().max() / exact.abs().max().clamp_min(1e-6)) if exact.numel() else 0.0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_is_as_near_to_fp64_as_pure_torch_is(native, layout):
    x, weight, dim = sample(layout)

    def pure(x, weight):
        return reference.rms_norm(x, weight, feature_dim=dim, eps=1e-8)

    got = run(lambda x, weight: kernels.rms_norm(x, weight, feature_dim=dim), x, weight)
    for ours, plain, exact in zip(got, run(pure, x, weight), run(pure, x.double(), weight.double()), strict=True):
        assert error(ours, exact) <= 4 * error(plain, exact) + 2e-6
    assert got[0].stride() == x.stride()


def test_is_torchs_own_norm():
    x, weight, _ = sample("dense")
    theirs = nn.functional.rms_norm(x, (37,), weight, eps=1e-8)
    torch.testing.assert_close(kernels.rms_norm(x, weight), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_comes_out_as_in_pure_torch(native, bad):
    x, weight, _ = sample("dense")
    x[3, 5] = bad
    wanted = reference.rms_norm(x, weight, feature_dim=-1, eps=1e-8)
    torch.testing.assert_close(kernels.rms_norm(x, weight), wanted, equal_nan=True, rtol=1e-5, atol=1e-6)


def test_zeros_stay_zero(native):
    assert kernels.rms_norm(torch.zeros(2, 5), torch.ones(5)).eq(0).all()


def test_pure_torch_has_the_right_derivatives():
    torch.manual_seed(0)
    x, weight = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((4, 3, 2), (3,)))
    assert torch.autograd.gradcheck(lambda x, w: reference.rms_norm(x, w, feature_dim=1, eps=1e-8), (x, weight))


def test_the_operator_passes_torchs_own_check(native):
    x, weight, _ = sample("dense")
    torch.library.opcheck(torch.ops.hotloop.rms_norm_forward, (x, weight, 1, 1e-8))
