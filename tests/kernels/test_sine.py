import itertools
import math

import pytest
import torch

from hotloop import kernels
from hotloop.kernels import reference

FEATURES = 37  # no multiple of any vector width
LAYOUTS = {
    "dense": ((300, FEATURES), -1),
    "three dimensions": ((5, 7, FEATURES), -1),
    "one row": ((FEATURES,), -1),
    "no rows": ((0, FEATURES), -1),
    "channels": ((7, FEATURES, 5, 9), 1),
    "channels last": ((7, FEATURES, 5, 9), 1),
    "channels of volumes": ((2, FEATURES, 3, 2, 5), 1),
    "channels last of volumes": ((2, FEATURES, 3, 2, 5), 1),
    "strided": ((60, FEATURES), -1),
}
CASES = list(itertools.product(LAYOUTS, reference.DECAY_MODES, [False, True]))


def sample(layout, *, has_phase=False):
    torch.manual_seed(0)
    shape, feature_dim = LAYOUTS[layout]
    z = 3 * torch.randn(shape)
    if layout == "strided":
        z = (3 * torch.randn(shape[::-1])).t()
    if layout.startswith("channels last"):
        z = z.contiguous(memory_format=torch.channels_last if z.ndim == 4 else torch.channels_last_3d)
    return z, [torch.randn(FEATURES) for _ in range(4 if has_phase else 3)], feature_dim


def run(function, z, parameters):
    leaves = [value.detach().clone(memory_format=torch.preserve_format).requires_grad_() for value in (z, *parameters)]
    y = function(*leaves)
    y.backward(torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape))
    zero = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    return [y.detach(), *zero]


def ours(feature_dim, mode, bounds=None):
    def call(z, amplitude, frequency, decay, phase=None):
        return kernels.sine(
            z, amplitude, frequency, decay, phase=phase, feature_dim=feature_dim, decay_mode=mode, bounds=bounds
        )

    return call


def pure(feature_dim, mode, bounds=None):
    def call(z, amplitude, frequency, decay, phase=None):
        options = {"feature_dim": feature_dim, "decay_mode": mode, "bounds": bounds}
        return reference.sine(z, amplitude, frequency, decay, phase, **options)

    return call


def error(got, exact):
    return float((got.double() - exact).abs().max() / exact.abs().max().clamp_min(1e-6)) if exact.numel() else 0.0


@pytest.mark.parametrize(("layout", "mode", "has_phase"), CASES)
def test_is_as_near_to_fp64_as_pure_torch_is(native, layout, mode, has_phase):
    z, parameters, feature_dim = sample(layout, has_phase=has_phase)
    exact = run(pure(feature_dim, mode), z.double(), [value.double() for value in parameters])
    plain = run(pure(feature_dim, mode), z, parameters)
    for got, torchs, true in zip(run(ours(feature_dim, mode), z, parameters), plain, exact, strict=True):
        assert error(got, true) <= 4 * error(torchs, true) + 2e-6


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keeps_the_memory_format(native, layout):
    z, parameters, feature_dim = sample(layout)
    y, dz, *_ = run(ours(feature_dim, "abs"), z, parameters)
    assert dz.stride() == z.stride()
    assert y.is_contiguous() or y.stride() == z.stride()


def test_bounds_clamp_and_stop_the_gradient(native):
    z, parameters, _ = sample("dense")
    bounds = (0.5, 1.0, -math.inf, 0.9, 0.2, math.inf)
    pairs = zip(run(ours(-1, "abs", bounds), z, parameters), run(pure(-1, "abs", bounds), z, parameters), strict=True)
    for got, wanted in pairs:
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=2e-5)
    assert (run(ours(-1, "abs", bounds), z, parameters)[2] == 0).any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", reference.DECAY_MODES)
def test_what_is_not_finite_comes_out_as_in_pure_torch(native, bad, mode):
    z, parameters, _ = sample("dense")
    z[3, 5] = bad
    got, wanted = kernels.sine(z, *parameters, decay_mode=mode), pure(-1, mode)(z, *parameters)
    assert torch.equal(got.isnan(), wanted.isnan())
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5, equal_nan=True)


def test_nan_in_a_gradient_or_a_parameter_is_not_lost(native):
    z, parameters, _ = sample("dense")
    parameters[0][4] = math.nan
    y, dz, *gradients = run(ours(-1, "abs"), z, parameters)
    assert y[:, 4].isnan().all()
    assert dz[:, 4].isnan().all()
    assert gradients[0].isnan().sum() == 1


@pytest.mark.parametrize("size", [1e3, 6e4, 7e4, 1e8, 1e30])
def test_huge_angles_keep_their_sine(native, size):
    z = torch.linspace(-size, size, 4001).view(-1, 1)
    raw = torch.full((1,), math.log(math.expm1(1.0)))
    low = torch.full((1,), -200.0)
    got = kernels.sine(z, raw, raw, low, decay_mode="abs")
    torch.testing.assert_close(got, pure(-1, "abs")(z, raw, raw, low), rtol=0, atol=3e-7)


def test_is_exact_over_the_whole_range_of_the_exponential(native):
    z = torch.linspace(-400, 400, 20001).view(-1, 1)
    raw = torch.zeros(1)
    exact = pure(-1, "abs")(z.double(), raw.double(), raw.double(), raw.double())
    got = kernels.sine(z, raw, raw, raw).double()
    envelope = math.log(2) * torch.exp(-math.log(2) * z.double().abs())
    # Angle and exponent are products rounded to fp32, so their error grows with z; below 2e-38 fp32 holds no more.
    allowed = (5e-7 + 3e-7 * z.abs()) * envelope + 2e-38
    assert ((got - exact).abs() <= allowed).all()


def test_fp64_and_bf16_go_to_pure_torch():
    z, parameters, _ = sample("dense")
    assert kernels.sine(z.double(), *[value.double() for value in parameters]).dtype is torch.float64
    assert kernels.sine(z.bfloat16(), *[value.bfloat16() for value in parameters]).dtype is torch.bfloat16


@pytest.mark.parametrize("mode", reference.DECAY_MODES)
def test_pure_torch_has_the_right_derivatives(mode):
    torch.manual_seed(0)
    z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    parameters = [torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    assert torch.autograd.gradcheck(pure(-1, mode), (z, *parameters))


def test_a_second_derivative_is_refused(native):
    z, parameters, _ = sample("dense")
    z.requires_grad_()
    (first,) = torch.autograd.grad(kernels.sine(z, *parameters).sum(), z, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(first.sum(), z)


def test_too_few_parameters_are_named(native):
    z, parameters, _ = sample("dense")
    with pytest.raises(RuntimeError, match="give one value for each feature"):
        kernels.sine(z, *[value[:5] for value in parameters])


def test_the_operator_passes_torchs_own_check(native):
    z, parameters, _ = sample("channels")
    leaves = [value.requires_grad_() for value in (z, *parameters)]
    torch.library.opcheck(torch.ops.hotloop.sine_forward, (*[v.detach() for v in leaves], None, 1, 1, ()))


def test_threads_do_not_change_a_bit(native):
    z, parameters, _ = sample("channels")
    one, several = (with_threads(count, z.repeat(20, 1, 1, 1), parameters) for count in (1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, several, strict=True))


def with_threads(count, z, parameters):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return run(ours(1, "abs"), z, parameters)
    finally:
        torch.set_num_threads(before)
