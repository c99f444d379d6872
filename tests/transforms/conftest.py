from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn
from torch.optim import optimizer
from torch.utils.data import dataloader
from torch.utils.data._utils.fetch import _MapDatasetFetcher

from hotloop.data.fetching import comparisons, fetch_paths, thread_fetch
from hotloop.train.selection.program_selection import LOSS_FUNCTIONS
from hotloop.transform import Plan, Transform
from hotloop.transforms import (
    batched_fetch,
    cached_samples,
    learning_rate,
    phases,
    prefetch_thread,
    resident_data,
    selective_sampling,
)
from hotloop.workloads.hooks import hooked
from hotloop.workloads.started_plan import StartedPlan, start

Start = Callable[..., tuple[StartedPlan, AbstractContextManager[None]]]


class NoCallbacks:
    """Callbacks that do nothing."""

    def before_training(self) -> None:
        pass

    def loss(self, value: torch.Tensor) -> None:
        pass

    def root(self, module: nn.Module) -> None:
        pass

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        pass


@pytest.fixture
def under() -> Iterator[Start]:
    """Starts a plan of the given transforms; also gives the context in which a program meets it."""

    def start_hooked(*transforms: Transform) -> tuple[StartedPlan, AbstractContextManager[None]]:
        started = start(Plan(transforms))
        return started, hooked(started, NoCallbacks())

    yield start_hooked
    torch._dynamo.reset()


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What transforms leave in torch for the rest of their process is taken out of this one again."""
    for owner, name in (
        (torch.autograd, "backward"),
        (torch.amp.GradScaler, "scale"),
        (dataloader._BaseDataLoaderIter, "__next__"),
        *((nn.functional, name) for name in LOSS_FUNCTIONS),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    for name in ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks"):
        monkeypatch.setattr(optimizer, name, getattr(optimizer, name).copy())
    monkeypatch.setattr(phases.installed, "phases", None, raising=False)
    monkeypatch.setattr(selective_sampling.installed, "selection", None, raising=False)
    monkeypatch.setattr(learning_rate.scaled, "is_on", False)
    monkeypatch.setattr(learning_rate.scaled, "steps", 0)


@pytest.fixture
def mlp() -> nn.Sequential:
    """A model without convolutions."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


@pytest.fixture
def fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders fetch as torch does when the test begins, and when it has ended."""
    monkeypatch.setattr(_MapDatasetFetcher, "fetch", _MapDatasetFetcher.fetch)
    monkeypatch.setattr(fetch_paths, "paths", {})
    monkeypatch.setattr(batched_fetch, "followed", {})
    monkeypatch.setattr(cached_samples, "followed", {})
    monkeypatch.setattr(cached_samples, "arenas", {})
    monkeypatch.setattr(resident_data, "followed", {})
    monkeypatch.setattr(prefetch_thread, "followed", {})
    monkeypatch.setattr(thread_fetch, "known", {})
    single = dataloader._SingleProcessDataLoaderIter
    monkeypatch.setattr(single, "_next_data", single._next_data)
    monkeypatch.setattr(comparisons.schedule, "is_watched", False)
