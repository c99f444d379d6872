"""Half precision widened, where a sum, a length or an exponential needs more digits."""

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def widened(x: Tensor) -> Tensor:
    """The same in float32 where it is in half precision; float32 and float64 as they are."""
    return x.float() if x.dtype in _HALF else x
