import math

import torch

from hotloop.worker.observer import _sketch


def product(one, other):
    return sum(sum(x * y for x, y in zip(a, b, strict=True)) for a, b in zip(one, other, strict=True))


def sketches(tensors):
    return [_sketch(tensor, seed) for seed, tensor in enumerate(tensors)]


def test_products_of_sketches_estimate_products_of_gradients():
    draw = torch.Generator().manual_seed(0)
    one = [torch.randn(50, 7, generator=draw) for _ in range(200)]
    other = [tensor + 0.5 * torch.randn(50, 7, generator=draw) for tensor in one]
    exact = sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))
    assert math.isclose(product(sketches(one), sketches(other)), exact, rel_tol=0.1)


def test_a_sketch_is_linear_and_of_its_seed():
    gradient = torch.randn(33, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(torch.tensor(_sketch(1.05 * gradient, 3)), 1.05 * torch.tensor(_sketch(gradient, 3)))
    assert _sketch(gradient, 3) != _sketch(gradient, 4)


def test_no_gradient_has_no_sketch():
    assert _sketch(None, 0) == []
