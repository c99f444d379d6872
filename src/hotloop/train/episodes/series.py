"""The series as one tensor on the device, checked once."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DeviceSeries:
    """A series (N, ...) on the device, and what it took to get there (seconds)."""

    values: Tensor
    numpy_time_s: float
    transfer_time_s: float


def load_series(series: Any, *, dtype: torch.dtype, device: torch.device, name: str = "series") -> DeviceSeries:
    """The series as a contiguous tensor. Raises ValueError for fewer than two dimensions, no steps, NaN or infinity."""
    began = perf_counter()
    tensor = series if isinstance(series, Tensor) else torch.from_numpy(np.ascontiguousarray(series))
    converted = perf_counter()
    if tensor.ndim < 2 or tensor.shape[0] < 1:
        raise ValueError(
            f"the {name} has shape {tuple(tensor.shape)}; (steps, features) or (steps, channels, ...) with at least 1 "
            "step is allowed: give series.reshape(-1, 1) for one feature"
        )
    values = tensor.detach().to(device=device, dtype=dtype).contiguous()
    if not bool(values.isfinite().all()):
        raise ValueError(f"the {name} holds NaN or infinity; only finite values are allowed: fill or drop those steps")
    return DeviceSeries(values=values, numpy_time_s=converted - began, transfer_time_s=perf_counter() - converted)
