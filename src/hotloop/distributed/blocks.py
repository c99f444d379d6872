"""A flat vector cut into blocks of equal length, the last one filled with zeros."""

import torch
from torch import Tensor


def num_blocks(size: int, block: int) -> int:
    """Blocks that `size` numbers fill."""
    return -(-size // block)


def as_blocks(flat: Tensor, block: int) -> Tensor:
    """Shape (num_blocks, block), float32; a view where nothing must be filled or converted."""
    missing = num_blocks(len(flat), block) * block - len(flat)
    return (
        torch.nn.functional.pad(flat.float(), (0, missing)).view(-1, block) if missing else flat.float().view(-1, block)
    )


def check_block(block: int) -> None:
    """Raise ValueError for a length of blocks that makes no sense."""
    if block < 1:
        raise ValueError(f"block: got {block}; at least 1 is allowed, 256 is usual")
