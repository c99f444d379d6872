"""A random projection that is computed from a hash whenever it is used, and never stored."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from hotloop.distributed.counter_hash import hashed

_CHUNK = 2**18  # numbers at a time, which bounds the memory of the indices


class SparseProjection:
    """Maps vectors of `size` numbers to `dimension` ones: each number goes to `spread` of them with random signs.

    Lengths and angles are kept in expectation. Both directions cost `spread` passes over the vector, on CUDA with sums
    in an order that may differ from run to run.
    Source: Kane, Nelson 2014, "Sparser Johnson-Lindenstrauss transforms", J. ACM 61(1).
    """

    def __init__(self, size: int, dimension: int, *, seed: int, spread: int = 4) -> None:
        if min(size, dimension, spread) < 1:
            raise ValueError(f"got size {size}, dimension {dimension}, spread {spread}; each must be at least 1")
        self.size, self.dimension = size, dimension
        self._seed, self._spread = seed, spread

    def project(self, vector: Tensor) -> Tensor:
        """Shape (dimension,), float32."""
        projected = torch.zeros(self.dimension, device=vector.device)
        for part, targets, signs in self._chunks(vector.device):
            projected.index_add_(0, targets, vector[part].float() * signs)
        return projected.div_(math.sqrt(self._spread))

    def project_back(self, projected: Tensor) -> Tensor:
        """The transpose: shape (size,), float32."""
        vector = torch.zeros(self.size, device=projected.device)
        for part, targets, signs in self._chunks(projected.device):
            vector[part].add_(projected[targets] * signs)
        return vector.div_(math.sqrt(self._spread))

    def _chunks(self, device: torch.device) -> Iterator[tuple[slice, Tensor, Tensor]]:
        for start in range(0, self.size, _CHUNK):
            part = slice(start, min(start + _CHUNK, self.size))
            numbers = torch.arange(part.start, part.stop, device=device) * self._spread
            for copy in range(self._spread):
                bits = hashed(numbers + copy, self._seed)
                yield part, (bits >> 1) % self.dimension, (bits & 1) * 2.0 - 1.0
