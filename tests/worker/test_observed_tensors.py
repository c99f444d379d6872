import math

import torch

from hotloop.worker.observed_tensors import NO_GRADIENT, can_be_followed, norm, share_short, sketch


def product(one, other):
    return sum(sum(x * y for x, y in zip(a, b, strict=True)) for a, b in zip(one, other, strict=True))


def sketches(tensors):
    return [sketch(tensor, str(seed)) for seed, tensor in enumerate(tensors)]


def test_products_of_sketches_estimate_products_of_gradients():
    draw = torch.Generator().manual_seed(0)
    one = [torch.randn(50, 7, generator=draw) for _ in range(200)]
    other = [tensor + 0.5 * torch.randn(50, 7, generator=draw) for tensor in one]
    exact = sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))
    assert math.isclose(product(sketches(one), sketches(other)), exact, rel_tol=0.1)


def test_a_sketch_is_linear_and_of_its_seed():
    gradient = torch.randn(33, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(torch.tensor(sketch(1.05 * gradient, "3")), 1.05 * torch.tensor(sketch(gradient, "3")))
    assert sketch(gradient, "3") != sketch(gradient, "4")


def test_no_gradient_has_no_sketch():
    assert sketch(None, "0") == []
    assert norm(None) == NO_GRADIENT


def test_a_sketch_counts_elements_by_their_index_and_not_by_their_stride():
    image = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    assert sketch(image.to(memory_format=torch.channels_last), "a") == sketch(image, "a")


def test_complex_and_sparse_tensors_have_norms_and_sketches():
    value = torch.tensor([3 + 4j, 0])
    assert norm(value) == 5.0
    assert sketch(value, "a") == sketch(torch.view_as_real(value), "a")
    sparse = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (4,), check_invariants=True)
    assert norm(sparse) == 3.0
    assert sketch(sparse, "a") == sketch(sparse.to_dense(), "a")


def test_a_lazy_parameter_cannot_be_followed_before_it_is_materialized():
    assert not can_be_followed(torch.nn.LazyLinear(3).weight)
    assert not can_be_followed(torch.ones(2, dtype=torch.long))
    assert can_be_followed(torch.ones(2, dtype=torch.cfloat))


def test_elements_that_sixteen_bits_hold_are_counted_whatever_their_format():
    draw = torch.Generator().manual_seed(0)
    exact = torch.randn(1000, generator=draw)
    assert share_short(exact) < 0.05
    assert share_short(torch.cat([exact.bfloat16().float(), torch.zeros(5)])) == 1.0
    assert share_short(exact.half().float()) == 1.0
    assert share_short(torch.view_as_complex(exact.bfloat16().float().view(500, 2))) == 1.0
    assert share_short(torch.zeros(30)) == share_short(torch.ones(3)) == share_short(None) == 0.0
