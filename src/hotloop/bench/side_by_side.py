"""Two things that live in this process, side by side: blocks in random order, with the baseline a second time (A/A)."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from hotloop.bench.parts import wait_for_device
from hotloop.compare.comparison import MARGIN
from hotloop.compare.inference import CONFIDENCE, replicate_estimate, t_quantile
from hotloop.compile.eager import EagerStep
from hotloop.measurement import Interval
from hotloop.workload import Job

_BASELINE, _AGAIN, _CANDIDATE = "baseline", "again", "candidate"
_BLOCK_SECONDS, _MOST_STEPS = 0.02, 1000


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """How much faster the candidate is than the baseline, and the baseline than itself, in one process.

    Another process may give another ratio: memory lands anew in it. `hotloop prove` starts fresh ones, and claims.
    """

    speedup: Interval
    aa: Interval
    rounds: int

    @property
    def threshold(self) -> float:
        """The relative difference that is worth a word: the margin of the house, or what equal code differs by here."""
        return max(MARGIN, self.aa.high - 1.0, 1.0 / self.aa.low - 1.0)

    @property
    def is_faster(self) -> bool:
        """Whether the whole interval lies above the threshold."""
        return self.speedup.low > 1.0 + self.threshold

    @property
    def is_slower(self) -> bool:
        """The mirror image."""
        return self.speedup.high < 1.0 / (1.0 + self.threshold)

    @property
    def message(self) -> str:
        """One sentence with the numbers."""
        finding = "faster" if self.is_faster else "slower" if self.is_slower else "not told apart"
        return (
            f"{finding} in this process: {self.speedup.ratio:.3f} times the speed ({self.speedup.low:.3f} to "
            f"{self.speedup.high:.3f} over {self.rounds} rounds), the baseline against itself {self.aa.ratio:.3f}; "
            "only fresh processes prove it (hotloop prove)"
        )


def compare(
    baseline: Callable[[], Any] | Job, candidate: Callable[[], Any] | Job, *, rounds: int = 24, seed: int = 0
) -> SideBySide:
    """Two jobs, by their training steps, or two functions without arguments, by a call.

    Every round runs a block of each in random order, so that what the machine does meanwhile meets both; with the two
    exchanged the ratio is the reciprocal. Jobs are trained by it. Raises ValueError for fewer than 4 rounds.
    """
    if rounds < 4:
        raise ValueError(f"got {rounds} rounds; an interval needs at least 4")
    base, other = _step_of(baseline), _step_of(candidate)
    runs = {_BASELINE: base, _AGAIN: base, _CANDIDATE: other}
    steps = _steps_of_a_block(base, other)
    order = random.Random(seed)
    samples: dict[str, list[list[float]]] = {arm: [] for arm in runs}
    for _ in range(rounds):
        arms = list(runs)
        order.shuffle(arms)
        for arm in arms:
            samples[arm].append(_block(runs[arm], steps))
    return SideBySide(
        speedup=_interval(samples[_BASELINE], samples[_CANDIDATE]),
        aa=_interval(samples[_BASELINE], samples[_AGAIN]),
        rounds=rounds,
    )


def _interval(baseline: list[list[float]], candidate: list[list[float]]) -> Interval:
    estimate = replicate_estimate(baseline, candidate)
    return estimate.interval(t_quantile(CONFIDENCE, estimate.rounds - 1))


def _step_of(thing: Callable[[], Any] | Job) -> Callable[[], Any]:
    if not isinstance(thing, Job):
        return thing
    step = thing.step or EagerStep(thing)
    batches = cycle(list(thing.batches))
    return lambda: step(next(batches))


def _steps_of_a_block(*runs: Callable[[], Any]) -> int:
    """As many as last for a block of the faster one, after one warm call of each."""
    for run in runs:
        run()
    fastest = max(1e-7, min(min(_block(run, 3)) for run in runs))
    return max(2, min(_MOST_STEPS, int(_BLOCK_SECONDS / fastest)))


def _block(run: Callable[[], Any], steps: int) -> list[float]:
    """Seconds of the first step, which refills the caches, and the mean of the others."""
    first = _seconds(run, 1)
    return [first, _seconds(run, steps) / steps]


def _seconds(run: Callable[[], Any], steps: int) -> float:
    wait_for_device()
    began = time.perf_counter()
    for _ in range(steps):
        run()
    wait_for_device()
    return time.perf_counter() - began
