"""Precision by name, and autocast to it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

HalfPrecision = Literal["bfloat16", "float16"]


def half_dtype(name: HalfPrecision | None, device: torch.device) -> torch.dtype | None:
    """The dtype of that name, None for None. Raises ValueError for float16 off CUDA, where it underflows."""
    if name == "float16" and device.type != "cuda":
        raise ValueError(f"amp='float16' was given on {device}; it is for CUDA: give 'bfloat16', or None")
    return None if name is None else {"bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def autocast_to(dtype: torch.dtype | None, parameters: list[Tensor]) -> AbstractContextManager[Any]:
    """Autocast to `dtype` on the device of the parameters; nothing at all for None."""
    return nullcontext() if dtype is None else torch.autocast(parameters[0].device.type, dtype=dtype)
