"""Squeeze and excitation: compiled against pure torch, fp64 and torch.compile."""

import itertools
import math

import pytest
import torch
from torch import nn

from hotloop import kernels
from hotloop.kernels import squeeze_excitation
from hotloop.kernels.excitation import reference_excitation

LAYOUTS = {
    "planes": ((3, 37, 9, 9), torch.contiguous_format),
    "channels last": ((3, 37, 9, 9), torch.channels_last),
    "wide channels last": ((2, 96, 12, 13), torch.channels_last),
    "one place": ((3, 16, 1, 1), torch.contiguous_format),
    "sequences": ((3, 37, 21), torch.contiguous_format),
    "volumes": ((2, 19, 3, 4, 5), torch.channels_last_3d),
    "no samples": ((0, 5, 3, 3), torch.contiguous_format),
}
CASES = list(itertools.product(LAYOUTS, [torch.float32, torch.bfloat16], [False, True]))


def sample(layout, *, dtype=torch.float32, with_shift=False):
    """y, residual, gradient, and the four weights."""
    torch.manual_seed(0)
    shape, memory_format = LAYOUTS[layout]
    large = [torch.randn(shape).to(dtype).contiguous(memory_format=memory_format) for _ in range(3)]
    channels, hidden = shape[1], 7
    outputs = 2 * channels if with_shift else channels
    shapes = ((hidden, channels), (hidden,), (outputs, hidden), (outputs,))
    return large, [torch.randn(shape) for shape in shapes]


def ours(y, residual, *weights):
    with_shift = weights[3].shape[0] != y.shape[1]
    return squeeze_excitation(y, residual, weights[:2], weights[2:], with_shift=with_shift)


def pure(y, residual, *weights):
    return reference_excitation(y, residual, weights)


def plain(y, residual, squeeze, squeeze_bias, excite, excite_bias):
    """As a user writes it, in whatever dtype there is."""
    gates = nn.functional.linear(y.flatten(2).mean(2), squeeze, squeeze_bias).relu()
    gates = nn.functional.linear(gates, excite, excite_bias)
    scale, *shift = (part.reshape(*part.shape, *[1] * (y.ndim - 2)) for part in gates.split(y.shape[1], dim=1))
    return (y * scale.sigmoid() + (shift[0] if shift else 0.0) + residual).relu()


def run(function, large, weights, dtype=None):
    y, residual, grad = large if dtype is None else (value.to(dtype) for value in large)
    weights = weights if dtype is None else [weight.to(dtype) for weight in weights]
    leaves = [value.detach().requires_grad_() for value in (y, residual, *weights)]
    out = function(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, grad.to(out.dtype))]


def error(got, exact):
    return float((got.double() - exact).abs().max() / exact.abs().max().clamp_min(1e-6)) if exact.numel() else 0.0


@pytest.mark.parametrize(("layout", "dtype", "with_shift"), CASES)
def test_is_as_near_to_fp64_as_pure_torch_is(native, layout, dtype, with_shift):
    large, weights = sample(layout, dtype=dtype, with_shift=with_shift)
    exact, torchs = run(plain, large, weights, torch.float64), run(pure, large, weights)
    for got, wanted, true in zip(run(ours, large, weights), torchs, exact, strict=True):
        assert got.dtype is wanted.dtype
        assert error(got, true) <= 2 * error(wanted, true) + 2e-6


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keeps_the_memory_format(native, layout):
    large, weights = sample(layout)
    out, dy, dresidual, *_ = run(ours, large, weights)
    assert out.stride() == dy.stride() == dresidual.stride() == large[0].stride()


def test_a_residual_and_a_gradient_may_lie_otherwise(native):
    (y, residual, grad), weights = sample("channels last")
    mixed = (y, residual.contiguous(), grad.transpose(2, 3).contiguous().transpose(2, 3))
    for got, wanted in zip(run(ours, mixed, weights), run(pure, mixed, weights), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    strided = torch.randn(3, 37, 9, 18)[..., ::2]
    torch.testing.assert_close(ours(strided, residual, *weights), pure(strided, residual, *weights))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_not_finite_comes_out_as_in_pure_torch(native, bad, dtype):
    large, weights = sample("planes", dtype=dtype)
    for value in large[:2]:
        value[1, 3, 2, 2] = bad
        for got, wanted in zip(run(ours, large, weights), run(pure, large, weights), strict=True):
            assert torch.equal(got.isnan(), wanted.isnan())
            assert torch.equal(got.isinf(), wanted.isinf())


def test_layers_may_be_convolutions_and_half_of_the_bits(native):
    (y, residual, _), weights = sample("planes")
    reduce, expand = nn.Conv2d(37, 5, 1), nn.Conv2d(5, 37, 1)
    got = squeeze_excitation(y, residual, (reduce.weight, reduce.bias), (expand.weight, expand.bias))
    means = y.mean((2, 3), keepdim=True)
    torch.testing.assert_close(got, (y * expand(reduce(means).relu()).sigmoid() + residual).relu())
    half = [weight.bfloat16() for weight in weights]
    torch.testing.assert_close(ours(y, residual, *half), pure(y, residual, *half))


@pytest.mark.parametrize("with_shift", [False, True])
def test_pure_torch_has_the_right_derivatives(with_shift):
    torch.manual_seed(0)
    channels, outputs = 3, 6 if with_shift else 3
    shapes = ((2, channels, 2, 2), (2, channels, 2, 2), (2, channels), (2,), (outputs, 2), (outputs,))
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(ours, leaves)


def test_autocast_and_mixed_precisions_change_nothing_inside(native):
    (y, residual, _), weights = sample("planes")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(y, residual, *weights), ours(*sample("planes")[0][:2], *weights))
    mixed = ours(y.bfloat16(), residual, *weights)
    assert mixed.dtype is torch.float32


def test_threads_do_not_change_a_bit_of_what_a_sample_gives(native):
    large, weights = sample("wide channels last")
    before = torch.get_num_threads()
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(run(ours, large, weights)[:3])
    torch.set_num_threads(before)
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize(
    "layout", ["planes", *(pytest.param(name, marks=pytest.mark.slow) for name in ("channels last", "volumes"))]
)
def test_the_operators_pass_torchs_own_check(native, layout):
    (y, residual, grad), weights = sample(layout, with_shift=True)
    ours(y, residual, *weights)  # loads the compiled kernels
    operators = torch.ops.hotloop
    leaves = [value.requires_grad_() for value in (y, residual, *weights)]
    torch.library.opcheck(operators.squeeze_excitation_forward, tuple(leaves))
    out, *kept = operators.squeeze_excitation_forward(*(leaf.detach() for leaf in leaves))
    inputs = (grad, out, y.detach(), weights[0].detach(), weights[2].detach(), *kept)
    torch.library.opcheck(operators.squeeze_excitation_backward, inputs)


def test_torch_compile_keeps_the_operators_and_the_result(native):
    large, weights = sample("channels last", with_shift=True)
    compiled = torch.compile(ours, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(run(compiled, large, weights), run(ours, large, weights))


def test_a_second_derivative_is_refused_and_pure_torch_gives_it(native):
    (y, residual, _), weights = sample("planes")
    y.requires_grad_()
    (first,) = torch.autograd.grad(ours(y, residual, *weights).sum(), y, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(first.sum(), y)
    with kernels.prefer("torch"):
        (first,) = torch.autograd.grad(ours(y, residual, *weights).sum(), y, create_graph=True)
        assert torch.autograd.grad(first.sum(), y)[0].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"residual": (3, 37, 9, 8)}, "two tensors of the same shape"),
        ({"y": (3, 37), "residual": (3, 37)}, r"\(batch, channels, places"),
        ({"excite": (20, 7)}, r"for 37 channels without a shift; give .*\(37, 7\)"),
        ({"with_shift": True}, r"with a shift; give .*\(74, 7\)"),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(change, words):
    shapes = {"y": (3, 37, 9, 9), "residual": (3, 37, 9, 9), "excite": (37, 7), **change}
    squeeze, excite = (torch.zeros(7, 37), torch.zeros(7)), (torch.zeros(shapes["excite"]), torch.zeros(37))
    with pytest.raises(ValueError, match=words):
        squeeze_excitation(
            torch.zeros(shapes["y"]),
            torch.zeros(shapes["residual"]),
            squeeze,
            excite,
            with_shift=bool(change.get("with_shift")),
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("layout", "with_shift"), list(itertools.product(["planes", "channels last"], [False, True])))
def test_cuda_agrees_with_pure_torch(layout, with_shift):
    large, weights = sample(layout, with_shift=with_shift)
    large, weights = [value.cuda() for value in large], [value.cuda() for value in weights]
    for got, wanted in zip(run(ours, large, weights), run(pure, large, weights), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)
