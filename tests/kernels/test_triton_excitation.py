"""The CUDA kernels of squeeze and excitation, in Triton's interpreter on the CPU."""

import itertools
from importlib.util import find_spec

import pytest
import torch

from hotloop.kernels.excitation import reference_excitation

CASES = list(
    itertools.product([torch.contiguous_format, torch.channels_last], [torch.float32, torch.bfloat16], [False, True])
)
TOLERANCES = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}, torch.bfloat16: {"rtol": 2e-2, "atol": 2e-2}}


@pytest.fixture(scope="module")
def triton_excitation():
    """The kernels, decorated for the interpreter: Triton reads the variable when a kernel is defined."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed; it comes with torch's CUDA builds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        from hotloop.kernels import triton_excitation as kernels

        yield kernels


@pytest.mark.parametrize(("memory_format", "dtype", "with_shift"), CASES)
def test_the_interpreted_kernels_agree_with_pure_torch(triton_excitation, memory_format, dtype, with_shift):
    torch.manual_seed(0)
    y, x, grad = (torch.randn(2, 37, 9, 9).to(dtype).contiguous(memory_format=memory_format) for _ in range(3))
    outputs = 74 if with_shift else 37
    weights = [torch.randn(shape) for shape in ((5, 37), (5,), (outputs, 5), (outputs,))]
    out, *kept = triton_excitation.forward(y, x, *weights)
    got = [out, *triton_excitation.backward(grad, out, y, weights[0], weights[2], *kept)]
    leaves = [value.requires_grad_() for value in (y, x, *weights)]
    wanted = reference_excitation(*leaves[:2], tuple(leaves[2:]))
    for ours, theirs in zip(got, [wanted, *torch.autograd.grad(wanted, leaves, grad)], strict=True):
        torch.testing.assert_close(ours, theirs, **TOLERANCES[dtype])
        assert ours.stride() == theirs.stride()
