"""What the probes of one process share: the program's parts as they appear, and the callbacks of who wants to know."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim.optimizer import Optimizer
from torch.utils.data import DataLoader

from hotloop.diagnose.call_sites import CallSites, SourceLine
from hotloop.diagnose.phase_times import PhaseTimes

_Callback = TypeVar("_Callback", bound=Callable[..., None])


@dataclass(kw_only=True)
class TraceContext:
    """The live parts of the program, and whether a loader is fetching right now (`fetch_depth` above 0).

    `loaders` and `optimizer_lines` (by id) name the line that iterates over a loader or steps an optimizer. `times` are
    empty until the timed steps are over. Callbacks of `on_fetch` get a loader's iterator, or the loader that is
    iterated over anew, and whether that iterator is exhausted; those of `on_batch` get the iterator and its batch.
    """

    call_sites: CallSites
    times: PhaseTimes = field(default_factory=PhaseTimes)
    roots: list[nn.Module] = field(default_factory=list[nn.Module])
    loaders: list[tuple[SourceLine, DataLoader[Any]]] = field(default_factory=list[tuple[SourceLine, DataLoader[Any]]])
    optimizers: list[Optimizer] = field(default_factory=list[Optimizer])
    optimizer_lines: dict[int, SourceLine] = field(default_factory=dict[int, SourceLine])
    fetch_depth: int = 0
    num_root_calls: int = 0
    num_backwards: int = 0
    is_forked: bool = False
    before_backward: list[Callable[[Any], None]] = field(default_factory=list[Callable[[Any], None]])
    after_backward: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    on_fetch: list[Callable[[Any, bool], None]] = field(default_factory=list[Callable[[Any, bool], None]])
    on_batch: list[Callable[[Any, Any], None]] = field(default_factory=list[Callable[[Any, Any], None]])

    def __post_init__(self) -> None:
        os.register_at_fork(after_in_child=partial(setattr, self, "is_forked", True))

    @property
    def is_on_cuda(self) -> bool:
        """Whether any root lives on a GPU."""
        return torch.cuda.is_available() and any(p.is_cuda for root in self.roots for p in root.parameters())

    @property
    def num_parameters(self) -> int:
        """Parameter tensors that the roots train."""
        return len({id(p) for root in self.roots for p in root.parameters() if p.requires_grad})

    def loaders_of(self, iterator: Any) -> list[tuple[SourceLine, DataLoader[Any]]]:
        """The loaders that an iterator may draw from, those of the same data set, with their lines."""
        dataset = getattr(iterator, "_dataset", None)
        return [found for found in self.loaders if found[1].dataset is dataset]


@contextmanager
def listening(callbacks: list[_Callback], callback: _Callback) -> Generator[None]:
    """`callback` is among `callbacks` while the context lasts."""
    callbacks.append(callback)
    try:
        yield
    finally:
        callbacks.remove(callback)
