"""Gradients with few bits: block-ternary exchange for DDP, ternary accumulation, and compression by hypervectors.

What is listed here is loaded when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotloop.distributed.block_ternary_codec import BlockTernaryCodec as BlockTernaryCodec
    from hotloop.distributed.block_ternary_hook import BlockTernaryHook as BlockTernaryHook
    from hotloop.distributed.ternary_accumulator import TernaryAccumulator as TernaryAccumulator
    from hotloop.distributed.vsa_compressor import VSACompressor as VSACompressor
    from hotloop.distributed.vsa_compressor import VSAConfig as VSAConfig

_HOME = {
    "BlockTernaryCodec": "hotloop.distributed.block_ternary_codec",
    "BlockTernaryHook": "hotloop.distributed.block_ternary_hook",
    "TernaryAccumulator": "hotloop.distributed.ternary_accumulator",
    "VSACompressor": "hotloop.distributed.vsa_compressor",
    "VSAConfig": "hotloop.distributed.vsa_compressor",
}

__all__ = ["BlockTernaryCodec", "BlockTernaryHook", "TernaryAccumulator", "VSACompressor", "VSAConfig"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hotloop.distributed' has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
