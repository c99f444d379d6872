"""When a loader first asks its sampler: where the program's own loader would, so that the random stream stays the same.

A loader without workers asks when the first batch is asked for, one with workers as soon as it is iterated over. Two
loaders that are iterated over together, or numbers that are drawn in between, would get other random numbers.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import dataloader

from hotloop.errors import NotApplicable

_LATE = "_asks_late"


class NumWorkers(int):
    """A loader's `num_workers` of ours."""

    def __reduce__(self) -> Any:
        return int, (int(self),)  # nothing of ours is in what a program saves


class LateWorkers(NumWorkers):
    """A number of workers for a loader that had none: they get their first indices when the first batch is wanted."""


class EarlyHere(NumWorkers):
    """No workers, for a loader that had some: its sampler is asked as soon as the loader is iterated over.

    Where they were `persistent` the program's own loader draws a seed for them in its first epoch alone.
    """

    persistent = False
    has_begun = False


def late_workers(count: int) -> LateWorkers:
    """What a loader is built with in place of that number of workers."""
    _hook()
    return LateWorkers(count)


def early_here(*, persistent: bool = False) -> EarlyHere:
    """What a loader is built with in place of no workers."""
    _hook()
    made = EarlyHere(0)
    made.persistent = persistent
    return made


def load_here(site: dict[str, Any]) -> None:
    """Take the workers of a loader that is about to be built away.

    Raises NotApplicable where its `worker_init_fn` sets up what they read.
    """
    workers = site.get("num_workers", 0)
    if not workers:
        return
    if site.get("worker_init_fn") is not None:
        raise NotApplicable("its worker_init_fn sets up what a worker reads; without workers nobody calls it")
    persistent = bool(site.get("persistent_workers"))
    site["num_workers"] = 0 if isinstance(workers, LateWorkers) else early_here(persistent=persistent)
    site.update(prefetch_factor=None, persistent_workers=False, timeout=0, multiprocessing_context=None)


def _hook() -> None:
    workers: Any = dataloader._MultiProcessingDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    here: Any = dataloader._SingleProcessDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    reset, next_data, begin = workers._reset, workers._next_data, here.__init__
    if hasattr(next_data, "asks_late"):
        return

    def reset_late(iterator: Any, loader: Any, first_iter: bool = False) -> None:
        if not isinstance(loader.num_workers, LateWorkers):
            reset(iterator, loader, first_iter)
            return
        iterator._try_put_index = _do_nothing
        sampler = iterator._index_sampler
        if first_iter:  # a loader without workers asks its sampler once for each epoch
            iterator._index_sampler = _Begun(iterator._sampler_iter)
        try:
            reset(iterator, loader, first_iter)
        finally:
            del iterator._try_put_index
            iterator._index_sampler = sampler
        setattr(iterator, _LATE, True)

    def next_late(iterator: Any) -> Any:
        if vars(iterator).pop(_LATE, False):
            for _ in range(iterator._prefetch_factor * iterator._num_workers):
                iterator._try_put_index()
        return next_data(iterator)

    next_late.asks_late = True  # pyright: ignore[reportFunctionMemberAccess]
    workers._reset, workers._next_data, here.__init__ = reset_late, next_late, _begin_early(begin)


def _begin_early(begin: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def begin_early(iterator: Any, loader: Any) -> None:
        settings = loader.num_workers
        if not isinstance(settings, EarlyHere):
            begin(iterator, loader)
            return
        if settings.persistent and settings.has_begun:
            _begin_without_seed(begin, iterator, loader)
        else:
            begin(iterator, loader)
            iterator._sampler_iter = iter(iterator._index_sampler)  # a loader with workers asks twice at first
        settings.has_begun = True
        iterator._sampler_iter = _asked(iterator._sampler_iter)

    return begin_early


def _begin_without_seed(begin: Callable[[Any, Any], None], iterator: Any, loader: Any) -> None:
    generator, loader.generator = loader.generator, torch.Generator()
    try:
        begin(iterator, loader)
    finally:
        loader.generator = generator


class _Begun:
    """Stands for a sampler that has begun already."""

    def __init__(self, indices: Iterator[Any]) -> None:
        self._indices = indices

    def __iter__(self) -> Iterator[Any]:
        return self._indices


def _do_nothing() -> None:
    return


def _asked(indices: Iterator[Any]) -> Iterator[Any]:
    """The same indices, the first of which is drawn already."""
    return itertools.chain(list(itertools.islice(indices, 1)), indices)
