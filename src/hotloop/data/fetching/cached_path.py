"""Samples that are kept once a data set has given them, as long as it would give the same again."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils.data import Subset, default_collate

from hotloop.data.fetching.comparisons import is_due, is_watched
from hotloop.data.fetching.dataset_outline import Outline
from hotloop.data.fetching.fetch_paths import Plain, check_site
from hotloop.data.fetching.random_states import RandomStates
from hotloop.data.fetching.recorded_state import RecordedState
from hotloop.data.fetching.same_batches import first_difference
from hotloop.data.fetching.sample_codec import copied, encode
from hotloop.data.fetching.sample_store import SampleArena, SampleStore
from hotloop.data.fetching.shared_counts import Count, SharedCounts
from hotloop.data.fetching.shared_memory import share_memory
from hotloop.errors import ChangedData, NotApplicable

_ENOUGH = 16  # samples by which the size of all is foreseen
_ONE_IN = 8  # batches of kept samples, of which one sample is made anew and compared
_DRAWS = "its samples draw random numbers"


class CachedPath:
    """Keeps the samples of one data set."""

    is_thread_safe = False  # it compares the states of random generators around calls, and puts them back

    def __init__(self, dataset: Any, arena: SampleArena) -> None:
        self.counts = SharedCounts()
        self.store = SampleStore(arena, len(dataset))
        self._length = len(dataset)
        self._recorded = RecordedState(arena)
        self._epoch: weakref.ref[Any] | None = None
        self._batches = 0
        self._are_views = False
        self._outline: Outline | None = None

    def fetch(self, fetcher: Any, index: Any, plain: Plain) -> Any:
        """The batch, of samples that are kept and of others that are made and kept."""
        rows = list(index) if fetcher.auto_collation and isinstance(index, (list, tuple)) else [index]
        if self.counts.refused is not None:
            return plain(index)
        if not all(type(row) is int and 0 <= row < self._length for row in rows):
            self.counts.add(Count.PLAIN)
            return plain(index)
        self._begin(fetcher)
        copies = fetcher.auto_collation and fetcher.collate_fn is default_collate
        try:
            samples, missing = self._samples(fetcher.dataset, rows, copies=copies)
        except NotApplicable as reason:
            self.counts.refuse(str(reason))
            return plain(index)
        except _Made as found:  # these were made as the plain way makes them, and must not be made twice
            self.counts.refuse(found.reason)
            samples, missing = found.samples, []
        self.counts.add(Count.FETCHED)
        batch = fetcher.collate_fn(samples if fetcher.auto_collation else samples[0])
        if self._are_views and not copies:
            self._check_views([rows[number] for number in missing], [samples[number] for number in missing], batch)
        return batch

    def _begin(self, fetcher: Any) -> None:
        """torch makes a fetcher for each epoch, in each process."""
        if self._epoch is None or self._epoch() is not fetcher:
            self._epoch = weakref.ref(fetcher)
            self._batches = 0
        self._batches += 1

    def _samples(self, dataset: Any, rows: Sequence[int], *, copies: bool) -> tuple[list[Any], list[int]]:
        """Samples of these rows, and the places in the batch of those that were made for it.

        A program that is not given copies of them may change them: then those that are kept are copied here.
        """
        places = self.store.places(rows)
        state = self._state(dataset, is_complete=all(places))
        samples: list[Any] = [self.store.sample(place) if place else None for place in places]
        kept = [number for number, place in enumerate(places) if place]
        missing = [number for number, place in enumerate(places) if not place]
        self._check_kept(dataset, rows, samples, kept)
        if not copies:
            samples = [copied(sample) for sample in samples]
        if missing:
            self._make(dataset, rows, samples, missing, state)
        self.counts.add(Count.HITS, len(kept))
        self.counts.add(Count.MISSES, len(missing))
        return samples, missing

    def _state(self, dataset: Any, *, is_complete: bool) -> Mapping[str, str]:
        """What the data set is like. Raises NotApplicable where it is no longer what the kept samples were made of.

        Where all samples are kept, seven of eight batches of a program that is not watched take a glance alone.
        """
        outline = Outline(dataset)
        is_glance = is_complete and not is_watched() and self._batches > 1 and self._batches % _ONE_IN
        if is_glance and outline.is_enough and self._outline is not None and outline.is_same(self._outline):
            return {}
        state = self._recorded.checked(dataset)
        self._outline = outline
        return state

    def _make(
        self, dataset: Any, rows: Sequence[int], samples: list[Any], missing: list[int], state: Mapping[str, str]
    ) -> None:
        """Make the samples that are missing and keep them, unless they are of a kind that cannot be kept."""
        before = RandomStates.now()
        for number in missing:
            samples[number] = dataset[rows[number]]
        if before != RandomStates.now():
            raise _Made(_DRAWS, samples)
        try:
            now = self._recorded.unchanged(dataset, since=state)  # before any is made twice: calls may count
            encoded = [encode(samples[number]) for number in missing]
            if is_due(self.counts):
                for sample, again in self._compared(
                    dataset, rows, samples, missing, "two calls give different samples"
                ):
                    self._are_views = self._are_views or share_memory(sample, again)
            self._recorded.record(now)
            for number, (layout, leaves) in zip(missing, encoded, strict=True):
                self.store.keep(rows[number], layout, leaves)
            if self.store.num_kept >= min(_ENOUGH, self._length):
                self.store.check_size()
        except NotApplicable as reason:
            raise _Made(str(reason), samples) from None

    def _check_kept(self, dataset: Any, rows: Sequence[int], samples: list[Any], kept: list[int]) -> None:
        """Make some of the kept samples anew: all of the first batch of an epoch, and one of each eighth batch."""
        if not is_watched() and self._batches > 1:
            kept = kept[:1] if self._batches % _ONE_IN == 0 else []
        self._compared(dataset, rows, samples, kept, "it is no longer what was kept", is_kept=True)

    def _compared(
        self,
        dataset: Any,
        rows: Sequence[int],
        samples: list[Any],
        numbers: Sequence[int],
        reason: str,
        *,
        is_kept: bool = False,
    ) -> list[tuple[Any, Any]]:
        """The samples at these places of the batch, each with the same made once more."""
        if not numbers:
            return []
        before = RandomStates.now()
        pairs = [(samples[number], dataset[rows[number]]) for number in numbers]
        if before != RandomStates.now():
            before.put_back()
            raise NotApplicable(_DRAWS)
        self.counts.add(Count.COMPARED, len(pairs))
        for number, (sample, again) in zip(numbers, pairs, strict=True):
            difference = first_difference(sample, again, f"sample {rows[number]}")
            if difference is not None and is_kept and is_watched():
                raise ChangedData(f"cached_samples: {reason}: {difference}")
            if difference is not None:
                raise NotApplicable(f"{reason}: {difference}")
        return pairs

    def _check_views(self, rows: Sequence[int], samples: Sequence[Any], batch: Any) -> None:
        """Samples that are the data set's own memory may be read by the program, and neither changed nor kept."""
        kept = [self.store.sample(place) for place in self.store.places(rows)]
        if share_memory(samples, batch) or first_difference(kept, samples) is not None:
            self.counts.refuse("its samples are the data set's own memory, and what collates them may change that")


class _Made(Exception):
    """A batch of samples of which the data set has made those that were missing, and why none is kept any more."""

    def __init__(self, reason: str, samples: list[Any]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.samples = samples


def check_samples(site: Mapping[str, Any]) -> None:
    """Raise NotApplicable for a loader whose data set is not asked for single samples, or has no length."""
    check_site(site)
    dataset = site["dataset"]
    root = dataset
    while isinstance(root, Subset):
        root = root.dataset  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if getattr(root, "__getitems__", None) is not None:
        raise NotApplicable(f"a {type(root).__name__} reads a batch at once by its __getitems__")
    try:
        len(dataset)
    except (TypeError, NotImplementedError):
        raise NotApplicable("the data set has no length, so that nobody knows what keeping it takes") from None
