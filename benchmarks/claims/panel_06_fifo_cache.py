"""Panel item 6: how a first-in first-out cache forgets its oldest entry, and how often it hits at all."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from benchmarks.claims.evidence import Evidence, digits, span, times
from benchmarks.claims.trial import Claim, Comparison, Judgement, Ruling

CAPACITIES = (100, 1_000, 10_000, 100_000)
SAMPLES, EVICTIONS = 100_000, 200
LIST, ORDERED, DEQUE, PLAIN = "list.pop(0) and dict", "OrderedDict", "deque and dict", "next(iter(dict))"


class Cache(Protocol):
    """Holds at most `capacity` samples and forgets the one that came first."""

    def get(self, key: int) -> bool:
        """Whether `key` was there; it is afterwards."""
        ...


class ListCache:
    def __init__(self, capacity: int) -> None:
        self.capacity, self.order, self.entries = capacity, list[int](), dict[int, int]()

    def get(self, key: int) -> bool:
        if key in self.entries:
            return True
        if len(self.entries) >= self.capacity:
            del self.entries[self.order.pop(0)]
        self.entries[key] = key
        self.order.append(key)
        return False


class OrderedCache:
    def __init__(self, capacity: int) -> None:
        self.capacity, self.entries = capacity, OrderedDict[int, int]()

    def get(self, key: int) -> bool:
        if key in self.entries:
            return True
        if len(self.entries) >= self.capacity:
            self.entries.popitem(last=False)
        self.entries[key] = key
        return False


class DequeCache:
    def __init__(self, capacity: int) -> None:
        self.capacity, self.order, self.entries = capacity, deque[int](), dict[int, int]()

    def get(self, key: int) -> bool:
        if key in self.entries:
            return True
        if len(self.entries) >= self.capacity:
            del self.entries[self.order.popleft()]
        self.entries[key] = key
        self.order.append(key)
        return False


class PlainCache:
    def __init__(self, capacity: int) -> None:
        self.capacity, self.entries = capacity, dict[int, int]()

    def get(self, key: int) -> bool:
        if key in self.entries:
            return True
        if len(self.entries) >= self.capacity:
            del self.entries[next(iter(self.entries))]
        self.entries[key] = key
        return False


KINDS: Mapping[str, Callable[[int], Cache]] = {
    LIST: ListCache,
    ORDERED: OrderedCache,
    DEQUE: DequeCache,
    PLAIN: PlainCache,
}


def size(capacity: int) -> str:
    return f"{capacity:,} entries, {EVICTIONS} evictions"


def evictions(make: Callable[[int], Cache], capacity: int) -> Callable[[], list[bool]]:
    """A full cache, and a call that makes it forget `EVICTIONS` entries."""
    cache, keys = make(capacity), iter(range(10**12))
    for _ in range(capacity):
        cache.get(next(keys))

    def run() -> list[bool]:
        return [cache.get(next(keys)) for _ in range(EVICTIONS)]

    return run


def comparison(capacity: int) -> Comparison:
    def check(results: Mapping[str, list[bool]]) -> None:
        assert all(not any(hits) for hits in results.values())
        keys = np.random.default_rng(0).integers(0, 2 * capacity, 4 * capacity).tolist()
        traces = {name: trace(make(capacity), keys) for name, make in KINDS.items()}
        assert all(hits == traces[LIST] for hits in traces.values())
        assert any(traces[LIST])

    return Comparison(variants={name: evictions(make, capacity) for name, make in KINDS.items()}, check=check)


def trace(cache: Cache, keys: list[int]) -> list[bool]:
    """Hit or miss of each key, in order."""
    return [cache.get(key) for key in keys]


def hit_rate(capacity: int, *, persistent: bool) -> float:
    """Share of hits in the second of two shuffled epochs over 100,000 samples."""
    generator, cache = np.random.default_rng(0), DequeCache(capacity)
    trace(cache, generator.permutation(SAMPLES).tolist())
    cache = cache if persistent else DequeCache(capacity)
    return sum(trace(cache, generator.permutation(SAMPLES).tolist())) / SAMPLES


def counts() -> Mapping[str, float]:
    rates = {
        f"hit rate, {capacity:,} of {SAMPLES:,} samples": hit_rate(capacity, persistent=True)
        for capacity in (256, 1_000, 10_000, SAMPLES)
    }
    return {**rates, "hit rate, workers that do not persist": hit_rate(10_000, persistent=False)}


def judge(seen: Evidence) -> Judgement:
    named = [seen.ratio(size(capacity), ORDERED) for capacity in (100, 1_000)]
    if all(ratio.low >= 50 for ratio in named):
        ruling = Ruling.HOLDS
    else:
        ruling = Ruling.FAILS if all(ratio.high < 50 for ratio in named) else Ruling.UNCLEAR
    curve = "; ".join(f"{capacity:,}: {times(seen.ratio(size(capacity), ORDERED))}" for capacity in CAPACITIES)
    cost = span(seen.seconds(size(100), LIST).ratio / EVICTIONS)
    best = ", ".join(digits(seen.ratio(size(capacity), DEQUE).ratio) + "x" for capacity in CAPACITIES)
    rate = seen.count(f"hit rate, 10,000 of {SAMPLES:,} samples")
    return Judgement(
        ruling=ruling,
        measured=f"OrderedDict over list, by entries: {curve}. Deque and dict: {best}. A whole insertion with the list "
        f"at 100 entries takes {cost}",
        why="pop(0) moves one block of memory, which is cheap until the list has thousands of entries. And such a "
        f"cache hits {digits(100 * rate)} % of a shuffled epoch at 10,000 of {SAMPLES:,} samples: hold all, or none.",
    )


CLAIM = Claim(
    item="6",
    title="FIFO cache",
    text="list.pop(0) makes the sample cache slow to forget; use an OrderedDict.",
    figure="50x to 100x at 100 to 1,000 entries; 50-100 us an eviction",
    judge=judge,
    sizes={size(capacity): (lambda capacity=capacity: comparison(capacity)) for capacity in CAPACITIES},
    counts=counts,
)
