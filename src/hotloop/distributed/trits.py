"""Vectors of -1, 0 and 1: five of them in a byte, and the algebra of hypervectors over them."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

PER_BYTE = 5  # 3**5 = 243 values of 256


def packed_size(num_trits: int) -> int:
    """Bytes that so many trits take."""
    return -(-num_trits // PER_BYTE)


def pack(trits: Tensor) -> Tensor:
    """Five trits a byte: uint8 of shape (packed_size(n),), from int8 of shape (n,) with values -1, 0, 1."""
    num_bytes = packed_size(len(trits))
    digits = torch.ones(num_bytes * PER_BYTE, dtype=torch.uint8, device=trits.device)
    digits[: len(trits)] = (trits + 1).to(torch.uint8)
    digits = digits.view(num_bytes, PER_BYTE)
    packed = digits[:, 0].clone()
    for place in range(1, PER_BYTE):
        packed.add_(digits[:, place], alpha=3**place)
    return packed


def unpack(packed: Tensor, num_trits: int) -> Tensor:
    """The inverse of `pack`: int8 of shape (num_trits,). Bytes above 242, which no trits give, are undefined."""
    table = _table(str(packed.device))
    return table.index_select(0, packed.to(torch.int32)).view(-1)[:num_trits]


def bind(vector: Tensor, key: Tensor) -> Tensor:
    """`vector` moved by `key`, element by element: the sum modulo 3 of int8 trits, balanced around 0."""
    return _balanced(vector + key)


def unbind(bound: Tensor, key: Tensor) -> Tensor:
    """The inverse of `bind`, exact for all trits."""
    return _balanced(bound - key)


def bundle(vectors: Sequence[Tensor]) -> Tensor:
    """The sign of the sum of int8 trits; 0 where as many say 1 as -1. Raises ValueError for none, or other shapes."""
    if not vectors or any(vector.shape != vectors[0].shape for vector in vectors):
        shapes = [tuple(vector.shape) for vector in vectors]
        raise ValueError(f"got vectors of shapes {shapes}; give at least one, all of the same shape")
    total = torch.zeros_like(vectors[0], dtype=torch.int32)
    for vector in vectors:
        total.add_(vector)
    return total.sign().to(torch.int8)


def _balanced(sums: Tensor) -> Tensor:
    return torch.remainder(sums + 1, 3) - 1


@cache
def _table(device: str) -> Tensor:
    digits = torch.arange(256)[:, None] // 3 ** torch.arange(PER_BYTE)[None, :] % 3
    return (digits - 1).to(torch.int8).to(device)
