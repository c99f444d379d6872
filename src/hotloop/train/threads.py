"""How many intra-op threads a run uses on the CPU, put back afterwards."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

# Multiplications of one forward above which a second thread paid off on an idle two-core machine: the dense nets of
# 512 rows and 17 thousand weights lost by it, the convolutions of 512 rows of 16 positions and 37 thousand weights won
# (and on a contended machine two threads ran 10 to 86 times slower than one).
_SMALL_WORK = 1 << 27


def suited_threads(model: nn.Module, *, rows: int) -> int:
    """1 for steps of at most 2^27 multiplications (rows x weights), else as many as torch uses now."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    return 1 if rows * weights <= _SMALL_WORK else torch.get_num_threads()


@contextmanager
def intra_op_threads(count: int) -> Generator[int]:
    """Run with `count` intra-op threads; the number from before is put back, whatever happens."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)
