"""What a region is called with."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from hotloop.compile.loop.guards import RegionGuards


@dataclass(kw_only=True)
class Given:
    """What a region is called with: tests that are answered, values, which tensors and numbers among them vary, and
    the modes of torch.
    """

    tests: tuple[bool, ...]
    values: tuple[Any, ...]
    numbers: tuple[int, ...]
    dynamic: tuple[int, ...]
    modes: tuple[Hashable, ...]


def dynamic_tensors(given: Given) -> list[Tensor]:
    """The tensors of the values that vary, detached; arrays share their memory."""
    found: list[Tensor] = []
    for number in given.dynamic:
        for leaf in pytree.tree_leaves(given.values[number]):
            if isinstance(leaf, Tensor):
                found.append(leaf.detach())
            elif isinstance(leaf, np.ndarray):
                found.append(torch.from_numpy(leaf))
    return found


def number_dtype(number: int | float, guards: RegionGuards) -> torch.dtype:
    """The dtype of a number that stands in for Python's: it must not promote a scalar result of the model's dtype."""
    if isinstance(number, int):
        return torch.int64
    kinds = {leaf.dtype for leaf in guards.leaves}
    return torch.float64 if kinds == {torch.float64} else torch.float32
