"""Attention by matrix products: it must be what runs, train the same model, and say where there is none."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from hotloop.errors import NotApplicable
from hotloop.transforms.math_attention import MathAttention
from hotloop.verify.torch_settings import preserved_settings


@pytest.fixture(autouse=True)
def put_back():
    with preserved_settings():
        yield


def gradients(dtype=torch.float32):
    torch.manual_seed(0)
    inputs = [torch.randn(2, 3, 16, 8, dtype=dtype, requires_grad=True) for _ in range(3)]
    mixed = functional.scaled_dot_product_attention(*inputs, is_causal=True)
    return mixed.grad_fn.name(), torch.autograd.grad(mixed.square().sum(), inputs)


def test_the_flash_kernel_no_longer_runs_and_the_gradients_are_the_same():
    flash, expected = gradients()
    assert "Flash" in flash
    transform = MathAttention(low_precision=False)
    transform.apply(None)
    math, found = gradients()
    assert "Flash" not in math
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    transform.confirm()


@pytest.mark.parametrize("low_precision", [True, False])
def test_in_low_precision_scores_are_rounded_to_bf16(low_precision):
    _, exact = gradients()
    MathAttention(low_precision=low_precision).apply(None)
    _, found = gradients(torch.bfloat16)
    torch.testing.assert_close([g.float() for g in found], list(exact), rtol=0.1, atol=0.1)
    assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed() is low_precision


def test_torchs_own_attention_layer_counts_as_a_call():
    transform = MathAttention()
    transform.apply(None)
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    layer(*3 * [torch.randn(2, 5, 8)], need_weights=False)[0].sum().backward()
    transform.confirm()


def test_compiled_attention_counts_as_a_call():
    transform = MathAttention()
    transform.apply(None)
    compiled = torch.compile(
        lambda q: functional.scaled_dot_product_attention(q, q, q), backend="aot_eager", fullgraph=True
    )
    compiled(torch.randn(1, 2, 5, 8, requires_grad=True)).sum().backward()
    transform.confirm()
    torch._dynamo.reset()


def test_a_program_without_attention_has_nothing_for_it():
    transform = MathAttention()
    transform.apply(None)
    with pytest.raises(NotApplicable, match="never calls scaled_dot_product_attention"):
        transform.confirm()


def test_a_program_that_chooses_its_kernels_is_left_alone():
    transform = MathAttention()
    transform.apply(None)
    torch.backends.cuda.enable_flash_sdp(True)
    gradients()
    with pytest.raises(NotApplicable, match="itself chooses the kernels"):
        transform.confirm()
