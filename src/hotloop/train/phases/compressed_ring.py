"""The last gradients, each one compressed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hotloop.distributed.vsa_compressor import CompressedGradients, VSACompressor, VSAConfig

_NAME = "gradient"


class CompressedRing:
    """A store of `capacity` gradients of `size` numbers as hypervectors, in place of float32 rows.

    What comes back is the direction of a gradient with an error that grows as `config.compression_ratio` falls: the
    cosine is near its square root. Each gradient in a sum is decoded, one at a time.
    """

    def __init__(self, size: int, *, capacity: int, config: VSAConfig | None = None) -> None:
        self._compressor = VSACompressor({_NAME: (size,)}, config)
        self._capacity = capacity
        self._kept: list[tuple[int, CompressedGradients]] = []

    @property
    def steps(self) -> Sequence[int]:
        """The steps of the gradients that are kept, oldest first."""
        return tuple(step for step, _ in self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept; the projection is computed anew each time and takes none."""
        return sum(compressed.nbytes for _, compressed in self._kept)

    def record(self, gradient: Tensor, step: int) -> None:
        """Compress a gradient; the oldest makes room."""
        self._kept = [*self._kept, (step, self._compressor.compress({_NAME: gradient}))][-self._capacity :]

    def combine(self, weights: Sequence[float], out: Tensor) -> Tensor:
        """The weighted sum, written to `out`."""
        out.zero_()
        for weight, (_, compressed) in zip(weights, self._kept, strict=True):
            if weight:
                out.add_(self._compressor.decompress(compressed)[_NAME], alpha=weight)
        return out

    def rows(self) -> Tensor:
        """All of them decoded, oldest first."""
        return torch.stack([self._compressor.decompress(compressed)[_NAME] for _, compressed in self._kept])

    def clear(self) -> None:
        """Forget all gradients."""
        self._kept = []

    def state_dict(self) -> dict[str, Any]:
        """Steps and compressed tensors."""
        return {"kept": [(step, compressed.packed, compressed.scales) for step, compressed in self._kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`. Raises ValueError for gradients of another length."""
        kept = [(step, CompressedGradients(packed=packed, scales=scales)) for step, packed, scales in state["kept"]]
        num_bytes = -(-self._compressor.dimension // 5)
        if any(compressed.packed.shape != (num_bytes,) for _, compressed in kept):
            raise ValueError("the state keeps gradients of another length or ratio; build the store with the same")
        self._kept = kept[-self._capacity :]
