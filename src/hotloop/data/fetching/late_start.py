"""When a loader first asks its sampler: where the program's own loader would, so that the random stream stays the same.

A loader without workers asks when the first batch is asked for, one with workers as soon as it is iterated over. Two
loaders that are iterated over together, or numbers that are drawn in between, would get other random numbers.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from torch.utils.data import dataloader

_LATE = "_asks_late"


class _NumWorkers(int):
    def __reduce__(self) -> Any:
        return int, (int(self),)  # nothing of ours is in what a program saves


class LateWorkers(_NumWorkers):
    """A number of workers for a loader that had none: they get their first indices when the first batch is wanted."""


class EarlyHere(_NumWorkers):
    """No workers, for a loader that had some: its sampler is asked as soon as the loader is iterated over."""


def late_workers(count: int) -> LateWorkers:
    """What a loader is built with in place of that number of workers."""
    _hook()
    return LateWorkers(count)


def early_here() -> EarlyHere:
    """What a loader is built with in place of no workers."""
    _hook()
    return EarlyHere(0)


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
        try:
            reset(iterator, loader, first_iter)
        finally:
            del iterator._try_put_index
        setattr(iterator, _LATE, True)

    def next_late(iterator: Any) -> Any:
        if vars(iterator).pop(_LATE, False):
            for _ in range(iterator._prefetch_factor * iterator._num_workers):
                iterator._try_put_index()
        return next_data(iterator)

    def begin_early(iterator: Any, loader: Any) -> None:
        begin(iterator, loader)
        if isinstance(loader.num_workers, EarlyHere):
            iterator._sampler_iter = _asked(iterator._sampler_iter)

    next_late.asks_late = True  # pyright: ignore[reportFunctionMemberAccess]
    workers._reset, workers._next_data, here.__init__ = reset_late, next_late, begin_early


def _do_nothing() -> None:
    return


def _asked(indices: Iterator[Any]) -> Iterator[Any]:
    """The same indices, the first of which is drawn already."""
    return itertools.chain(list(itertools.islice(indices, 1)), indices)
