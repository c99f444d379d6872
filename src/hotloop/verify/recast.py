"""Batches in another dtype."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from hotloop.workload import Job


class RecastBatches:
    """A job's batches with every floating tensor in another dtype; iterates as often as the original.

    `job` keeps its own dtype: batches that its model makes (rollouts) are then those that any other run sees.
    """

    def __init__(self, job: Job, dtype: torch.dtype) -> None:
        self.job = job
        self._dtype = dtype

    def __iter__(self) -> Iterator[Any]:
        for batch in self.job.batches:
            yield recast(batch, self._dtype)


def recast(value: Any, dtype: torch.dtype) -> Any:
    """The same with every floating tensor in `dtype`; what holds the tensors keeps its type."""
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    if isinstance(value, Mapping):
        items = {key: recast(item, dtype) for key, item in cast(Mapping[Any, Any], value).items()}
        return items if type(cast(Any, value)) is dict else cast(Any, type(value))(items)
    if isinstance(value, (tuple, list)):
        parts = [recast(item, dtype) for item in cast(list[Any], value)]
        return cast(Any, type(value))(*parts) if hasattr(value, "_fields") else cast(Any, type(value))(parts)
    return _recast_object(value, dtype)


def _recast_object(value: Any, dtype: torch.dtype) -> Any:
    if callable(getattr(value, "apply", None)) and callable(getattr(value, "clone", None)):
        return value.clone().apply(lambda part: recast(part, dtype))  # pyright: ignore[reportUnknownLambdaType]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: recast(getattr(value, f.name), dtype) for f in dataclasses.fields(value) if f.init}
        return dataclasses.replace(value, **changed)
    return value
