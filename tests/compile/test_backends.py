"""What becomes of tiny matrix products on the way to inductor."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from hotloop.compile.backends import inline_small_products


def products(function, *inputs):
    graph = make_fx(function, tracing_mode="fake")(*inputs)
    inline_small_products(graph)
    torch.testing.assert_close(graph(*inputs), function(*inputs))
    return [node.target for node in graph.graph.nodes if "mm" in str(node.target)]


@pytest.mark.parametrize("function", [torch.mm, lambda a, b: torch.addmm(b[0], a, b)], ids=["mm", "addmm"])
def test_a_small_product_becomes_a_sum_that_can_be_fused(function):
    assert products(function, torch.randn(8, 6), torch.randn(6, 5)) == []


def test_a_product_of_more_numbers_is_left_to_the_blas():
    assert products(torch.mm, torch.randn(64, 64), torch.randn(64, 64)) == [torch.ops.aten.mm.default]


def test_a_scaled_product_and_one_in_bf16_stay_as_they_are():
    scaled = products(lambda a, b: torch.addmm(b[0], a, b, alpha=2), torch.randn(2, 2), torch.randn(2, 2))
    half = products(torch.mm, *(torch.randn(2, 2, dtype=torch.bfloat16) for _ in range(2)))
    assert (len(scaled), len(half)) == (1, 1)
