"""Gradients as trits with one scale a block."""

import math

import torch
from torch import Tensor

from hotloop.distributed.blocks import as_blocks, check_block, num_blocks
from hotloop.distributed.trits import pack, packed_size, unpack

_SCALE_BYTES = 2  # bfloat16: the range of float32, so that small gradients do not vanish


class BlockTernaryCodec:
    """Messages of uint8 for flat vectors of `size` numbers: five trits a byte, then a bfloat16 scale for each block.

    A number is kept as its sign where it exceeds `threshold` times the mean size in its block; the scale is the mean
    size of those kept, which is the least squares one. Both are relative, so a vector times a power of two gives the
    same trits. Nothing is drawn at random and nothing is read from the device.
    Source of the threshold: Li, Liu 2016, arXiv:1605.04711, 0.7 for normal weights.
    """

    def __init__(self, size: int, *, block: int = 256, threshold: float = 0.7) -> None:
        check_block(block)
        if not (math.isfinite(threshold) and threshold >= 0):
            raise ValueError(f"threshold: got {threshold}; a number of at least 0 is allowed")
        self.size, self._block, self._threshold = size, block, threshold
        self._num_trit_bytes = packed_size(size)
        self.num_bytes = self._num_trit_bytes + _SCALE_BYTES * num_blocks(size, block)

    def encode(self, flat: Tensor) -> Tensor:
        """The message of shape (num_bytes,)."""
        blocks = as_blocks(flat, self._block)
        sizes = blocks.abs()
        is_kept = sizes > self._threshold * sizes.mean(1, keepdim=True)
        num_kept = is_kept.sum(1).clamp_(min=1)
        scales = (sizes * is_kept).sum(1).div_(num_kept).to(torch.bfloat16)
        trits = (blocks.sign() * is_kept).to(torch.int8).view(-1)[: self.size]
        return torch.cat([pack(trits), scales.view(torch.uint8)])

    def decode(self, message: Tensor) -> Tensor:
        """The float32 vector of shape (size,). Raises ValueError for a message of another length."""
        if message.shape != (self.num_bytes,):
            raise ValueError(
                f"got a message of shape {tuple(message.shape)}; {self.num_bytes} bytes are {self.size} numbers"
            )
        trits = as_blocks(unpack(message[: self._num_trit_bytes], self.size), self._block)
        scales = message[self._num_trit_bytes :].clone().view(torch.bfloat16).float()
        return (trits * scales[:, None]).view(-1)[: self.size]
