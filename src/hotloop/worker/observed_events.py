"""Counts what happens between steps: ends of epochs, evaluations, checkpoints and scheduler steps."""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import dataloader

KINDS = ("end of an epoch", "evaluation", "checkpoint", "scheduler step")


class ObservedEvents:
    """How often each kind of event was seen so far, and after which step first."""

    def __init__(self, *, step: Callable[[], int]) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self._may_come = {"evaluation", "checkpoint"}
        self._step = step

    def follow(self) -> None:
        """Have the events of this process counted."""
        self._count_epochs()
        self._count_calls(torch, "save", "checkpoint")
        for kind in (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau):
            self._count_calls(kind, "step", "scheduler step")

    @property
    def has_met_all(self) -> bool:
        """Whether each kind that may come has been seen: epochs end where there are loaders."""
        return self._may_come <= self.first.keys()

    def root_called(self, module: nn.Module) -> None:
        """A root is called; without gradients or in evaluation mode that is an evaluation."""
        if not (module.training and torch.is_grad_enabled()):
            self._met("evaluation")

    def _met(self, kind: str) -> None:
        self.counts[kind] += 1
        self.first.setdefault(kind, self._step())

    def _count_epochs(self) -> None:
        kind: Any = dataloader._BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]
        original = kind.__next__

        def following(iterator: Any) -> Any:
            self._may_come.add("end of an epoch")
            try:
                return original(iterator)
            except StopIteration:
                self._met("end of an epoch")
                raise

        kind.__next__ = following

    def _count_calls(self, owner: Any, name: str, event: str) -> None:
        original = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._may_come.add(event)
            if self._step():  # a scheduler makes a step of its own when it is built
                self._met(event)
            return original(*args, **kwargs)

        setattr(owner, name, functools.wraps(original)(counted))
