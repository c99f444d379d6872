"""What the spies of one worker share: the program's parts as they show, and who wants to hear of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from hotloop.diagnose.call_sites import Places
from hotloop.finding import Finding


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """The step as it was timed without spies: seconds, and the share of each phase."""

    seconds: float
    shares: dict[str, float] = field(default_factory=dict[str, float])

    def share(self, seconds: float) -> float:
        """The share of a step that so many seconds in it are; at most 1."""
        return min(1.0, seconds / self.seconds) if self.seconds > 0 else 0.0


@dataclass(kw_only=True)
class Report:
    """What a spy says in the end: findings, and data for the document under the spy's name."""

    findings: list[Finding] = field(default_factory=list[Finding])
    data: Any = None
    notes: list[str] = field(default_factory=list[str])


class Spy(Protocol):
    """Looks at a few whole steps; `open` and `close` are called at the ends of steps. No spied step is timed."""

    name: str

    def is_wanted(self) -> bool:
        """Whether there is anything here for this spy to see."""
        ...

    def open(self) -> None:
        """The first step of the window is about to begin."""
        ...

    def step(self) -> None:
        """A step of the window has ended."""
        ...

    def close(self) -> None:
        """The last step of the window has ended."""
        ...

    def report(self, step: StepTime) -> Report:
        """What was seen, with shares of a step as it was timed."""
        ...


@dataclass(kw_only=True)
class Scene:
    """The live parts of the program: roots, optimizers, and whether a loader is fetching right now.

    `uses` counts calls of roots, `backwards` backward passes. Who listens to `fetched` gets a loader's iterator, or the
    loader that is iterated over anew, and whether that iterator has come to its end; who listens to `yielded` gets the
    iterator and its batch.
    """

    places: Places
    roots: list[nn.Module] = field(default_factory=list[nn.Module])
    optimizers: list[Optimizer] = field(default_factory=list[Optimizer])
    optimizer_places: dict[int, tuple[str, int]] = field(default_factory=dict[int, tuple[str, int]])
    fetching: int = 0
    uses: int = 0
    backwards: int = 0
    is_forked: bool = False
    before_backward: list[Callable[[Any], None]] = field(default_factory=list[Callable[[Any], None]])
    after_backward: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    fetched: list[Callable[[Any, bool], None]] = field(default_factory=list[Callable[[Any, bool], None]])
    yielded: list[Callable[[Any, Any], None]] = field(default_factory=list[Callable[[Any, Any], None]])

    def __post_init__(self) -> None:
        os.register_at_fork(after_in_child=self._leave)

    @property
    def is_on_cuda(self) -> bool:
        """Whether any root lives on a GPU."""
        return torch.cuda.is_available() and any(p.is_cuda for root in self.roots for p in root.parameters())

    @property
    def num_parameters(self) -> int:
        """Parameter tensors that the roots train."""
        return len({id(p) for root in self.roots for p in root.parameters() if p.requires_grad})

    def _leave(self) -> None:
        self.is_forked = True


def bound(share: float) -> float:
    """The most that a program can speed up when this share of its time goes away (Amdahl 1967)."""
    return 1.0 / max(1.0 - share, 1e-3)
