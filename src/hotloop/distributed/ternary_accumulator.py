"""Sums gradients in less than two bits a number, or in eight, without bias."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from hotloop.distributed.blocks import as_blocks, check_block, num_blocks
from hotloop.distributed.trits import pack, packed_size, unpack

Storage = Literal["packed", "int8"]

_MOST = 127  # of int8
_ROUND_UP = 1 + 2.0**-7  # one unit of bfloat16, so that a scale is never below the greatest number


class TernaryAccumulator:
    """The mean of flat gradients of `size` numbers, unbiased: each number is rounded at random between two values.

    "packed" keeps the running sum as trits, five a byte, rounded anew with each gradient. "int8" keeps whole multiples
    of a scale that the first gradient sets; it has less noise and four times the bytes of a packed one. Scales are
    bfloat16, one a block of `block` numbers. The same `seed` and gradients give the same bytes. Nothing is read from
    the device. A NaN or infinity spoils its block until `reset`.
    """

    def __init__(
        self,
        size: int,
        *,
        storage: Storage = "packed",
        block: int = 256,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        check_block(block)
        if storage not in get_args(Storage):
            raise ValueError(f"storage: got {storage!r}; allowed are {', '.join(get_args(Storage))}")
        self.count = 0
        self._size, self._storage, self._block = size, storage, block
        blocks = num_blocks(size, block)
        self._generator = torch.Generator(device=device).manual_seed(seed)
        self._scales = torch.zeros(blocks, dtype=torch.bfloat16, device=device)
        if storage == "packed":
            self._values = torch.zeros(packed_size(size), dtype=torch.uint8, device=device)
        else:
            self._values = torch.zeros(size, dtype=torch.int8, device=device)
        self.reset()

    @property
    def nbytes(self) -> int:
        """Bytes of the storage that is kept between two gradients."""
        return self._values.untyped_storage().nbytes() + self._scales.untyped_storage().nbytes()

    def accumulate(self, gradient: Tensor) -> None:
        """Take in one flat gradient. Raises ValueError for another shape."""
        if gradient.shape != (self._size,):
            raise ValueError(f"got a gradient of shape {tuple(gradient.shape)}; it must be flat: ({self._size},)")
        gradient = gradient.detach()
        if self._storage == "packed":
            self._round_sum(gradient)
        else:
            self._add_multiples(gradient)
        self.count += 1

    def mean(self, out: Tensor | None = None) -> Tensor:
        """The mean of the gradients since the last reset, float32, written to `out` if given; zeros of none."""
        mean = self._sum().div_(max(1, self.count))
        return mean if out is None else out.copy_(mean)

    def reset(self) -> None:
        """Begin anew; the random numbers go on."""
        self.count = 0
        self._scales.zero_()
        if self._storage == "packed":
            self._values.copy_(pack(torch.zeros(self._size, dtype=torch.int8, device=self._values.device)))
        else:
            self._values.zero_()

    def state_dict(self) -> dict[str, Any]:
        """What is stored, and where the random numbers are; tensors are not copied."""
        return {
            "values": self._values,
            "scales": self._scales,
            "count": self.count,
            "random": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`. Raises ValueError for one of another size or storage."""
        if state["values"].shape != self._values.shape or state["values"].dtype != self._values.dtype:
            raise ValueError(
                "the state is of an accumulator with another size or storage; build this one with the same"
            )
        self._values.copy_(state["values"])
        self._scales.copy_(state["scales"])
        self.count = state["count"]
        self._generator.set_state(state["random"])

    def _sum(self) -> Tensor:
        values = unpack(self._values, self._size) if self._storage == "packed" else self._values
        return (as_blocks(values, self._block) * self._scales.float()[:, None]).view(-1)[: self._size]

    def _round_sum(self, gradient: Tensor) -> None:
        blocks = as_blocks(self._sum().add_(gradient), self._block)
        self._scales.copy_(blocks.abs().amax(1) * _ROUND_UP)
        trits = self._rounded(blocks / self._divisors())
        self._values.copy_(pack(trits.to(torch.int8).view(-1)[: self._size]))

    def _add_multiples(self, gradient: Tensor) -> None:
        blocks = as_blocks(gradient, self._block)
        is_new = self._scales == 0
        self._scales.copy_(torch.where(is_new, blocks.abs().amax(1) * _ROUND_UP, self._scales.float()))
        total = as_blocks(self._values, self._block) + self._rounded(blocks / self._divisors())
        excess = total.abs().amax(1).div_(_MOST).clamp_(min=1.0)
        factors = torch.exp2(torch.ceil(torch.log2(excess)))  # powers of two, so that scales stay exact
        self._scales.copy_(self._scales.float() * factors)
        total = torch.where(factors[:, None] > 1, self._rounded(total / factors[:, None]), total)
        self._values.copy_(total.to(torch.int8).view(-1)[: self._size])

    def _divisors(self) -> Tensor:
        scales = self._scales.float()[:, None]
        return torch.where(scales == 0, 1.0, scales)

    def _rounded(self, values: Tensor) -> Tensor:
        """Down or up to a whole number, each as likely as the other one is near."""
        noise = torch.rand(values.shape, generator=self._generator, device=values.device)
        return torch.floor(values + noise)
