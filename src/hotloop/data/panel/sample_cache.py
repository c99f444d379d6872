"""A cache of samples that counts its hits, and says whether it is worth its memory."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from hotloop.errors import PanelError

Item = TypeVar("Item")
Eviction = Literal["fifo", "lru"]


class SampleCache(Generic[Item]):
    """At most `capacity` items by number; the first stored ("fifo") or the longest unused ("lru") goes first.

    Each worker of a loader has a cache of its own.
    """

    def __init__(self, capacity: int, *, eviction: Eviction = "fifo") -> None:
        if capacity < 1:
            raise PanelError(f"got a cache of {capacity} samples; it holds at least 1: give more, or no cache at all")
        self.capacity, self.eviction = capacity, eviction
        self.hits, self.misses = 0, 0
        self._items: OrderedDict[int, Item] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, number: int, make: Callable[[int], Item]) -> Item:
        """The item of that number; made, and kept, where it is not there."""
        items = self._items
        if number in items:
            self.hits += 1
            if self.eviction == "lru":
                items.move_to_end(number)
            return items[number]
        self.misses += 1
        made = make(number)
        if len(items) == self.capacity:
            items.popitem(last=False)
        items[number] = made
        return made

    @property
    def hit_rate(self) -> float:
        """Hits by requests; 0 before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    def advice(self, num_samples: int) -> str:
        """One sentence: the hit rate so far, and what to do for a data set of `num_samples` that is shuffled."""
        found = f"{self.hits} of {self.hits + self.misses} requests hit ({self.hit_rate:.1%})"
        if self.capacity >= num_samples:
            return f"{found}; the cache holds all {num_samples} samples: from the second epoch on every request hits"
        # A sample that is still there when its turn comes again: about half of capacity / size of an epoch for either
        # order, since the next epoch asks for it at a random place.
        expected = self.capacity / num_samples
        return (
            f"{found}; {self.capacity} of {num_samples} samples fit, so a shuffled epoch hits at most {expected:.1%}: "
            "make the cache as large as the data set, or have none and read the mapped store"
        )
