"""The fastest size of microbatches at a fixed global batch, found in a third of the steps that a sweep would take.

Sizes are measured in short blocks that take turns in random order, since a machine drifts. First each size of a
doubling series has one block; those that are clearly slower are dropped, and the rest is measured in rounds, fewer of
them each time (successive halving: Jamieson and Talwalkar 2016, arXiv:1502.07943). Then the sizes between the best and
its neighbours are tried, until none is left or the blocks are spent.
"""

import math
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hotloop.measurement import Interval

ROUNDS = 12
"""Blocks of each size in an exhaustive sweep: at 3 % of noise a block, two sizes are told apart within 1.2 %."""

_SHARE = 0.3  # of the blocks of a sweep, and a third of its time where sizes differ in cost
_FAR = math.log(1.5)  # a size that was this much slower in its only block is not looked at again
_ERRORS = 2.0
_NEAR = math.log(1.03)
_FEWEST = 4
_FINALISTS = 3
_BUSY, _PRIOR = 0.05, 4  # noise of a block before it is known, and the blocks that it weighs as much as

Measure = Callable[[int], float | None]
"""Seconds of a step with microbatches of so many samples, from one block; None where memory did not suffice."""


@dataclass(frozen=True, kw_only=True)
class BatchSize:
    """What a search found at a `global_batch`: `fastest` samples in a microbatch, and how often each size was measured.

    `seconds` has the seconds of a step by size, one for each block. `too_large` are sizes for which memory did not
    suffice. With `is_cut_short` time was up before the end. `largest` is the largest batch that fits (None: not looked
    for), where `is_bound` says that a larger one was seen not to.
    """

    global_batch: int
    fastest: int
    seconds: Mapping[int, tuple[float, ...]]
    too_large: tuple[int, ...] = ()
    is_cut_short: bool = False
    largest: int | None = None
    is_bound: bool = False

    @property
    def microbatches(self) -> int:
        """Parts of a batch at the fastest size; 1 for the whole batch."""
        return math.ceil(self.global_batch / self.fastest)

    @property
    def blocks(self) -> int:
        """Blocks that were measured, of all sizes."""
        return sum(map(len, self.seconds.values()))

    @property
    def blocks_of_a_sweep(self) -> int:
        """Blocks that an exhaustive sweep over all sizes that fit would take."""
        limit = min(self.too_large, default=math.inf)
        return ROUNDS * sum(size < limit for size in sizes_of(self.global_batch))

    def throughput(self, size: int) -> float:
        """Samples a second."""
        return self.global_batch / math.exp(_level(self.seconds[size])[0])

    @property
    def against_whole(self) -> Interval | None:
        """Times the speed of whole batches, two standard errors either way: for choosing, not for claiming."""
        if self.global_batch not in self.seconds:
            return None
        (ours, error), (whole, other) = _level(self.seconds[self.fastest]), _level(self.seconds[self.global_batch])
        half = _ERRORS * math.hypot(error, other) if self.fastest != self.global_batch else 0.0
        log = whole - ours
        return Interval(ratio=math.exp(log), low=math.exp(log - half), high=math.exp(min(log + half, 700.0)))

    def to_data(self) -> dict[str, object]:
        """JSON data."""
        ratio = self.against_whole
        return {
            "global_batch": self.global_batch,
            "fastest": self.fastest,
            "microbatches": self.microbatches,
            "samples_per_second": {str(size): self.throughput(size) for size in sorted(self.seconds)},
            "against_whole": None if ratio is None else [ratio.ratio, ratio.low, ratio.high],
            "too_large": list(self.too_large),
            "is_cut_short": self.is_cut_short,
            "largest": self.largest,
            "largest_is_bound": self.is_bound,
            "blocks": self.blocks,
            "blocks_of_a_sweep": self.blocks_of_a_sweep,
        }


def sizes_of(global_batch: int) -> list[int]:
    """All sizes of microbatches that differ, largest first: the whole batch, a half, a third, ... (rounded up)."""
    return sorted({math.ceil(global_batch / parts) for parts in range(1, global_batch + 1)}, reverse=True)


@dataclass(kw_only=True)
class BatchSizeSearch:
    """The state of one search; `measure` makes a block, `order` shuffles turns, `is_over` says that time is up."""

    global_batch: int
    measure: Measure
    order: random.Random
    is_over: Callable[[], bool] = lambda: False
    seconds: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    too_large: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        """Raise ValueError for a global batch that is none."""
        if self.global_batch < 1:
            raise ValueError(f"got a global batch of {self.global_batch}; it must have at least one sample")
        self._sizes = sizes_of(self.global_batch)
        self._spent = 0

    def run(self) -> BatchSize | None:
        """The result; None where memory suffices for no size at all."""
        self._measure_doublings()
        if not self.seconds:
            return None
        self._find_limit()
        self._halve(list(self.seconds))
        while fresh := self._between():
            self._round(fresh)
            self._halve([*fresh, *self._near(self._best, self.seconds)])
        self._measure_finalists()
        return BatchSize(
            global_batch=self.global_batch,
            fastest=self._best,
            seconds={size: tuple(found) for size, found in sorted(self.seconds.items())},
            too_large=tuple(sorted(self.too_large)),
            is_cut_short=self.is_over(),
        )

    @property
    def _left(self) -> int:
        """Blocks that may still be measured: a share of a sweep over the sizes that memory is known to suffice for."""
        if self.seconds and self.is_over():
            return 0
        limit = min(self.too_large, default=math.inf)
        sizes = sum(size < limit for size in self._sizes)
        return max(0, max(2 * _FEWEST, int(_SHARE * ROUNDS * sizes)) - self._spent)

    @property
    def _best(self) -> int:
        """By its mean, of those with at least half as many blocks as any: of few, one is low by luck."""
        most = max(map(len, self.seconds.values()))
        often = [size for size, found in self.seconds.items() if 2 * len(found) >= most]
        return min(often, key=lambda size: _level(self.seconds[size])[0])

    def _measure_doublings(self) -> None:
        """One block of each size whose parts are a power of two, from the whole batch to where two are far slower."""
        lost = 0
        for power in range(self.global_batch.bit_length() + 1):
            size = math.ceil(self.global_batch / 2**power)
            if size in self.seconds or not self._block(size):
                continue
            best = min(_level(found)[0] for found in self.seconds.values())
            lost = lost + 1 if _level(self.seconds[size])[0] - best > _FAR else 0
            if lost == 2 or not self._left:
                return

    def _find_limit(self) -> None:
        """One block of sizes between the largest that fits and the smallest that does not, if large ones do well."""
        while self.too_large and self._left and max(self.seconds) in self._near(self._best, self.seconds):
            middle = self._middle(max(self.seconds), min(self.too_large))
            if middle is None:
                return
            self._block(middle)

    def _halve(self, sizes: Sequence[int]) -> None:
        """Rounds of those that may still be the best, until one is left or each has as many blocks as in a sweep."""
        while True:
            open_ = [size for size in self._near(self._best, sizes) if len(self.seconds[size]) < ROUNDS]
            if len(set(open_) | {self._best}) < 2 or not self._left:
                return
            self._round({*open_, self._best})

    def _measure_finalists(self) -> None:
        """What is left of the blocks goes to the fastest three: noise that lasts may have dropped one of them."""
        finalists = sorted(self.seconds, key=lambda size: _level(self.seconds[size])[0])[:_FINALISTS]
        while self._left and (open_ := [size for size in finalists if len(self.seconds[size]) < ROUNDS]):
            if len(finalists) == 1:
                return
            self._round(open_)

    def _near(self, best: int, sizes: Iterable[int]) -> list[int]:
        """Those that could be as fast as the best within two standard errors; the best among them.

        The error is that of all blocks together: a few blocks of one size may agree by chance. Before a size has as
        many as it takes to tell, it is near unless it is far slower.
        """
        level, noise = _level(self.seconds[best])[0], self._noise
        found: list[int] = []
        for size in self.seconds.keys() & set(sizes):
            counts = (len(self.seconds[size]), len(self.seconds[best]))
            error = noise * math.hypot(*(count**-0.5 for count in counts))
            doubt = _ERRORS * error if min(counts) >= _FEWEST else max(_FAR, _ERRORS * error)
            if _level(self.seconds[size])[0] - level <= doubt:
                found.append(size)
        return found

    @property
    def _noise(self) -> float:
        """Standard deviation of the logarithm from block to block, over all sizes; that of a busy machine at first."""
        logs = [[math.log(value) for value in found] for found in self.seconds.values() if len(found) > 1]
        squares = math.fsum(statistics.variance(found) * (len(found) - 1) for found in logs)
        freedom = sum(len(found) - 1 for found in logs)
        return math.sqrt((squares + _PRIOR * _BUSY**2) / (freedom + _PRIOR))

    def _between(self) -> list[int]:
        """The middles between the best and the sizes next to it that were tried."""
        if self._left < _FEWEST:
            return []
        known = sorted({*self.seconds, *self.too_large})
        place = known.index(self._best)
        neighbours = known[max(0, place - 1) : place] + known[place + 1 : place + 2]
        middles = [self._middle(self._best, other) for other in neighbours]
        return [size for size in dict.fromkeys(middles) if size is not None]

    def _middle(self, one: int, other: int) -> int | None:
        """The size halfway by its logarithm that was not measured yet; None where the two are neighbours or as good."""
        between = [size for size in self._sizes if min(one, other) < size < max(one, other)]
        between = [size for size in between if size not in self.seconds and size not in self.too_large]
        if not between or abs(math.log(one / other)) < _NEAR:
            return None
        aim = math.sqrt(one * other)
        return min(between, key=lambda size: abs(math.log(size / aim)))

    def _round(self, sizes: Iterable[int]) -> None:
        turns = sorted(sizes)
        self.order.shuffle(turns)
        for size in turns:
            if self._left:
                self._block(size)

    def _block(self, size: int) -> bool:
        """Whether one more block of a size was measured, and memory sufficed for it."""
        if size in self.too_large:
            return False
        found = self.measure(size)
        if found is None:
            self.too_large.append(size)
            self.seconds.pop(size, None)
            return False
        self._spent += 1
        self.seconds.setdefault(size, []).append(found)
        return True


def largest_batch(fits: Callable[[int], bool], *, start: int, most: int) -> tuple[int, bool]:
    """The largest number of samples that fit, within a twentieth, and whether a larger one was seen not to.

    Doubles from `start` up to `most`, or halves down to 1, and then bisects. 0 where not even one sample fits.
    """
    low, high = 0, most + 1
    size = min(max(1, start), most)
    while low < size < high:
        if fits(size):
            low = size
            size = min(2 * size, most)
        else:
            high = size
            size = max(1, size // 2)
    while high - low > max(1, low // 20) and high <= most:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low, high <= most


def _level(seconds: Sequence[float]) -> tuple[float, float]:
    """Mean of the logarithm, without the slowest quarter of the blocks, and its standard error (infinite for one)."""
    logs = sorted(map(math.log, seconds))
    kept = logs[: len(logs) - len(logs) // 4]
    if len(kept) < 2:
        return kept[0], math.inf
    return statistics.fmean(kept), statistics.stdev(kept) / math.sqrt(len(kept))
