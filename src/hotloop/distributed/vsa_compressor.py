"""Gradients as a ternary hypervector. A reference: ternary blocks and PowerSGD keep more at every number of bytes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hotloop.distributed.counter_hash import hashed_trits, seed_of
from hotloop.distributed.sparse_projection import SparseProjection
from hotloop.distributed.trits import bind, bundle, pack, packed_size, unbind, unpack


@dataclass(frozen=True, kw_only=True)
class VSAConfig:
    """`compression_ratio` trits for each number; all tensors in one hypervector where `is_bundled`.

    Raises ValueError for a ratio that compresses nothing.
    """

    compression_ratio: float = 0.1
    seed: int = 42
    is_bundled: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.compression_ratio <= 1:
            raise ValueError(f"compression_ratio: got {self.compression_ratio}; above 0 and up to 1 is allowed")


@dataclass(frozen=True, kw_only=True)
class CompressedGradients:
    """Five trits a byte, a float32 scale for each part that was projected on its own, the number of the projection."""

    packed: Tensor
    scales: Tensor
    step: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of both tensors."""
        return self.packed.untyped_storage().nbytes() + self.scales.untyped_storage().nbytes()


class VSACompressor:
    """Compresses the gradients of `shapes`, by name.

    They are projected by a hash of position and seed, so that no projection is stored, and cut to trits. Unbundled,
    all gradients are one vector; bundled, each tensor is projected to the whole hypervector, bound to a key that is a
    hash of its name, and all are added by majority, which leaves each about 1/sqrt(tensors) of its signal. The scale
    of a part is the one that leaves the least error, so that an error is never larger than the gradient. Error
    feedback needs another projection each time (`step`), or what one of them cannot see is never sent. Neither the
    order of names nor the process matters.
    Raises ValueError for no shapes, empty tensors, or so few numbers that nothing would be saved.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], config: VSAConfig | None = None) -> None:
        self.config = config or VSAConfig()
        self._shapes = {name: torch.Size(shapes[name]) for name in sorted(shapes)}
        sizes = {name: math.prod(shape) for name, shape in self._shapes.items()}
        if not sizes or not all(sizes.values()):
            raise ValueError(f"got the sizes {sizes}; give at least one tensor, none of them empty")
        self.num_parameters = sum(sizes.values())
        self.dimension = math.ceil(self.num_parameters * self.config.compression_ratio)
        parts = sizes if self.config.is_bundled else {"": self.num_parameters}
        num_bytes = packed_size(self.dimension) + 4 * len(parts)
        if num_bytes >= 4 * self.num_parameters:
            raise ValueError(
                f"{self.num_parameters} numbers would take {num_bytes} bytes, as float32 {4 * self.num_parameters}; "
                "compress more of them at once, or lower compression_ratio"
            )
        self._sizes = parts
        self._key_seeds = {name: seed_of(f"key:{name}", self.config.seed) for name in parts}

    def compress(self, gradients: Mapping[str, Tensor], *, step: int = 0) -> CompressedGradients:
        """The hypervector by the projection number `step`.

        Raises ValueError where names or shapes are not those of the compressor.
        """
        self._check(gradients)
        parts = self._parts(gradients)
        bound = [
            bind(_cut(self._projection(name, step).project(part)), self._key(name, part))
            for name, part in parts.items()
        ]
        trits = bundle(bound)
        scales = [_best_scale(part, self._restored(name, trits, step)) for name, part in parts.items()]
        return CompressedGradients(packed=pack(trits), scales=torch.stack(scales), step=step)

    def decompress(self, compressed: CompressedGradients) -> dict[str, Tensor]:
        """The gradients, float32, by name in sorted order."""
        trits = unpack(compressed.packed, self.dimension)
        scales = compressed.scales.unbind()
        parts = {
            name: self._restored(name, trits, compressed.step) * scale
            for name, scale in zip(self._sizes, scales, strict=True)
        }
        if self.config.is_bundled:
            return {name: part.view(self._shapes[name]) for name, part in parts.items()}
        pieces = parts[""].split([shape.numel() for shape in self._shapes.values()])
        return {name: piece.view(shape) for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)}

    def _parts(self, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        flat = {name: gradients[name].detach().reshape(-1).float() for name in self._shapes}
        return flat if self.config.is_bundled else {"": torch.cat(list(flat.values()))}

    def _key(self, name: str, like: Tensor) -> Tensor:
        return hashed_trits(self.dimension, self._key_seeds[name], device=like.device)

    def _projection(self, name: str, step: int) -> SparseProjection:
        seed = seed_of(f"projection:{name}:{step}", self.config.seed)
        return SparseProjection(self._sizes[name], self.dimension, seed=seed)

    def _restored(self, name: str, trits: Tensor, step: int) -> Tensor:
        return self._projection(name, step).project_back(unbind(trits, self._key(name, trits)).float())

    def _check(self, gradients: Mapping[str, Tensor]) -> None:
        given = {name: tuple(gradient.shape) for name, gradient in gradients.items()}
        known = {name: tuple(shape) for name, shape in self._shapes.items()}
        if given != known:
            raise ValueError(f"got gradients of the shapes {given}; this compressor takes {known}")


def _cut(projected: Tensor) -> Tensor:
    """The sign of what is larger than the mean size, else 0."""
    sizes = projected.abs()
    return (projected.sign() * (sizes > sizes.mean())).to(torch.int8)


def _best_scale(part: Tensor, restored: Tensor) -> Tensor:
    """The number that brings `restored` nearest to `part`; 0 where nothing was restored."""
    return torch.dot(part, restored) / torch.dot(restored, restored).clamp_(min=torch.finfo(torch.float32).tiny)
