"""Batches that a thread fetches while the program trains, for loaders without workers.

Indices are drawn and batches handed out in the program's own thread and order. A batch counts only where it was fetched
under the conditions under which the program asks for it; otherwise, and for each error, it is fetched where the program
asks for it, as without the thread.
"""

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import dataloader
from torch.utils.data._utils.pin_memory import pin_memory

from hotloop.data.fetching.comparisons import compared, is_due
from hotloop.data.fetching.dataset_state import changed, open_handles, state_of
from hotloop.data.fetching.early_indices import draws_at_its_end, why_not_early
from hotloop.data.fetching.fetch_conditions import FetchConditions
from hotloop.data.fetching.fetch_paths import paths_of
from hotloop.data.fetching.late_start import NumWorkers
from hotloop.data.fetching.random_states import RandomStates
from hotloop.data.fetching.reader_thread import EarlyBatch, ReaderThread, reading
from hotloop.data.fetching.shared_counts import Count, SharedCounts
from hotloop.errors import NotApplicable

_TRIED = 8  # batches that are fetched by the program's own thread before any other fetches
_DRAWS = "its samples draw random numbers, which a thread would draw in another order"


class WithThread(NumWorkers):
    """No workers, for a loader whose next `batches_ahead` batches a thread fetches; `counts` are of its data set."""

    batches_ahead: int
    non_blocking: bool
    counts: SharedCounts


def with_thread(counts: SharedCounts, *, batches: int, non_blocking: bool) -> WithThread:
    """What a loader is built with in place of no workers."""
    _hook()
    made = WithThread(0)
    made.batches_ahead, made.non_blocking, made.counts = batches, non_blocking, counts
    return made


known: dict[int, tuple[weakref.ref[Any], SharedCounts]] = {}


def counts_of(dataset: Any) -> SharedCounts:
    """The counts of a data set, of which PLAIN are the batches that were tried; the same for all of its loaders.

    Raises NotApplicable where it cannot be followed.
    """
    key = id(dataset)
    found = known.get(key)
    if found is None or found[0]() is not dataset:
        try:
            found = known[key] = (weakref.ref(dataset, lambda _: known.pop(key, None)), SharedCounts())
        except TypeError:
            raise NotApplicable(f"a {type(dataset).__name__} cannot be followed: it allows no weak reference") from None
    return found[1]


class ThreadFetch:
    """The batches of one iterator of a loader."""

    def __init__(self, iterator: Any, settings: WithThread) -> None:
        self._dataset = iterator._dataset_fetcher.dataset
        self._fetch = _pinning(iterator._dataset_fetcher, iterator)
        self._settings, self._counts = settings, settings.counts
        self._early: deque[EarlyBatch] = deque()
        self._reader: ReaderThread | None = None
        self._drawn, self._is_at_end = 0, False
        self._most: int | None = None
        sampler = iterator._index_sampler
        self._refuse(why_not_early(sampler))
        if self._counts.refused is None and draws_at_its_end(sampler):
            self._most = len(sampler) - 1
        for name, path in paths_of(self._dataset).items():
            self._refuse(None if path.is_thread_safe else f"{name} must not be gone by two threads at once")

    def next(self, iterator: Any) -> Any:
        """The next batch. Raises StopIteration, and what fetching it raises."""
        now = self._conditions()
        if self._early:
            batch = self._early.popleft()
            data = self._handed_out(batch, now)
        else:
            data = self._here(self._index(iterator))
        if now is not None and self._counts.refused is None:
            self._ask_ahead(iterator, now)
        if self._is_at_end and not self._early:
            self.close()
        return data

    def close(self) -> None:
        """No thread is left."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _refuse(self, reason: str | None) -> None:
        if reason is not None:
            self._counts.refuse(reason)

    def _index(self, iterator: Any) -> Any:
        try:
            index = iterator._next_index()
        except StopIteration:
            self.close()
            raise
        self._drawn += 1
        return index

    def _conditions(self) -> FetchConditions | None:
        """None where nothing is fetched ahead: before enough was tried, and once it is refused."""
        if self._counts.refused is not None or self._counts.own(Count.PLAIN) < _TRIED:
            return None
        try:
            return FetchConditions.now(self._dataset)
        except NotApplicable as reason:
            self._refuse(str(reason))
            return None

    def _ask_ahead(self, iterator: Any, now: FetchConditions) -> None:
        while len(self._early) < self._settings.batches_ahead and not self._is_at_end:
            if self._most is not None and self._drawn >= self._most:
                return
            try:
                index = self._index_ahead(iterator)
            except StopIteration:
                self._is_at_end = True
                return
            if self._reader is None:
                self._reader = ReaderThread(self._fetch)
                weakref.finalize(iterator, self._reader.close)
            self._early.append(self._reader.ask(EarlyBatch(index, now)))

    def _index_ahead(self, iterator: Any) -> Any:
        index = iterator._next_index()
        self._drawn += 1
        return index

    def _handed_out(self, batch: EarlyBatch, now: FetchConditions | None) -> Any:
        if self._reader is not None:
            self._reader.wait(batch)
        self._refuse(batch.reason)
        name = None if now is None else batch.conditions.changed_data(now)
        if name is not None:
            self._refuse(f"the data set changes while the program loops over it (attribute {name})")
        if self._counts.refused is not None:
            self.close()
        if now is None or self._counts.refused is not None or not batch.conditions.same_modes(now):
            return self._here(batch.index)
        is_compared = is_due(self._counts)
        self._counts.add(Count.FETCHED)
        if is_compared:
            return compared(batch.data, self._here(batch.index), self._counts, name="prefetch_thread")
        return batch.data

    def _here(self, index: Any) -> Any:
        """The batch, fetched as the program does; watched for what must not happen in another thread."""
        with reading.lock:
            if self._counts.refused is not None:
                return self._fetch(index)
            is_tried = self._counts.own(Count.PLAIN) < _TRIED
            state = state_of(self._dataset) if is_tried else {}
            before = RandomStates.now()
            data = self._fetch(index)
            self._refuse(_DRAWS if before != RandomStates.now() else None)
            if is_tried:
                self._counts.add(Count.PLAIN)
                name = changed(state, state_of(self._dataset))
                self._refuse(None if name is None else f"reading it changes the data set (attribute {name})")
                self._refuse(why_not_in_a_thread(self._dataset))
        return data


def why_not_in_a_thread(dataset: Any) -> str | None:
    """The open files and connections of a data set, which two threads must not use at once."""
    held = open_handles(dataset)
    told = "the data set holds an open file or connection ({}), which is not safe between threads"
    return told.format(", ".join(held)) if held else None


def _pinning(fetcher: Any, iterator: Any) -> Callable[[Any], Any]:
    """Fetches, and pins where the loader pins; the iterator is not held."""
    device = iterator._pin_memory_device if iterator._pin_memory else None

    def fetch(index: Any) -> Any:
        data = fetcher.fetch(index)
        return data if device is None else pin_memory(data, device)

    return fetch


def _hook() -> None:
    here: Any = dataloader._SingleProcessDataLoaderIter  # pyright: ignore[reportPrivateUsage]
    next_data = here._next_data
    if hasattr(next_data, "fetches_ahead"):
        return

    def next_ahead(iterator: Any) -> Any:
        settings = iterator._num_workers
        if not isinstance(settings, WithThread):
            return next_data(iterator)
        held = vars(iterator)
        if "_thread_fetch" not in held:
            held["_thread_fetch"] = ThreadFetch(iterator, settings)
        data = held["_thread_fetch"].next(iterator)
        return _copied(data) if settings.non_blocking and torch.cuda.is_initialized() else data

    next_ahead.fetches_ahead = True  # pyright: ignore[reportFunctionMemberAccess]
    here._next_data = next_ahead


def _copied(batch: Any) -> Any:
    """On the current device, without waiting for the copy: what the program does next is queued behind it."""
    if isinstance(batch, Tensor):
        return batch.to("cuda", non_blocking=True)
    if isinstance(batch, dict):
        return {key: _copied(part) for key, part in batch.items()}
    if type(batch) in (list, tuple):
        return type(batch)(_copied(part) for part in batch)
    return batch
