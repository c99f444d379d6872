"""Raw samples of one claim, and what the house's statistics say of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hotloop.compare.comparison import Comparison
from hotloop.compare.inference import combine, replicate_estimate
from hotloop.estimate import Estimate
from hotloop.measurement import Environment, Interval
from hotloop.records.documents import from_data
from hotloop.verdict import Outcome, Verdict

RESULTS = Path(__file__).parents[1] / "results"
AGAIN = "again"
"""The first variant once more, under another name: what this machine invents between two equal callables."""

_BOOTSTRAPS = 2000


class Evidence:
    """The samples of one claim. One process is one unit of replication: it holds all variants, in turns."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if document.get("schema") != 1:
            raise ValueError(f"got schema {document.get('schema')!r}; only 1 is known: measure the claim again")
        self.command: str = document["command"]
        self.environment = from_data(Environment, document["environment"])
        self.clock: str = document["clock"]
        self._processes: Sequence[Mapping[str, Any]] = document["processes"]

    @staticmethod
    def read(path: Path) -> "Evidence":
        """What the runner wrote. Raises FileNotFoundError where nobody has measured."""
        return Evidence(json.loads(path.read_text(encoding="utf-8")))

    @property
    def has_cuda(self) -> bool:
        return self.environment.has_cuda

    @property
    def num_processes(self) -> int:
        return len(self._processes)

    @property
    def sizes(self) -> list[str]:
        return list(self._processes[0]["sizes"])

    @property
    def counts(self) -> Mapping[str, float]:
        """Figures that are counted, not timed. Raises ValueError where two processes counted differently."""
        first = self._processes[0]["counts"]
        if any(process["counts"] != first for process in self._processes):
            raise ValueError("two processes counted differently; a count must be the same everywhere: time it instead")
        return first

    def count(self, name: str) -> float:
        return self.counts[name]

    def variants(self, size: str) -> list[str]:
        """Names in their own order: the first is what the claim found."""
        return [name for name in self._processes[0]["sizes"][size]["calls"] if name != AGAIN]

    def rounds(self, size: str) -> int:
        """The fewest rounds of any process."""
        return min(len(process["sizes"][size]["order"]) for process in self._processes)

    def seconds(self, size: str, variant: str) -> Interval:
        """Median time of one call with a 95 % bootstrap interval over the rounds of all processes."""
        import numpy as np
        from scipy.stats import bootstrap

        samples = np.concatenate([self._samples(process, size, variant) for process in self._processes])
        result = bootstrap((samples,), np.median, n_resamples=_BOOTSTRAPS, method="percentile", vectorized=True, rng=0)
        low, high = result.confidence_interval
        return Interval(ratio=float(np.median(samples)), low=float(low), high=float(high))

    def ratio(self, size: str, variant: str, *, over: str | None = None) -> Interval:
        """Time of `over` (default: the first variant) over time of `variant`, 98 % interval over processes."""
        return combine(self._effects(size, variant, over), self._noise(size))

    def speed(self, size: str, variant: str, *, over: str | None = None) -> Verdict:
        """Whether `variant` is proven faster than `over`, by the same rule as every other claim of this project."""
        return Comparison(self._effects(size, variant, over), self._noise(size)).verdict()

    def is_faster(self, size: str, variant: str, *, over: str | None = None) -> bool:
        return self.speed(size, variant, over=over).outcome is Outcome.PASS

    def is_slower(self, size: str, variant: str, *, over: str | None = None) -> bool:
        return bool(self.speed(size, variant, over=over).numbers["proven_slower"])

    def share(self, size: str, part: str) -> Interval:
        """Share of `part` in the first variant, 98 % interval over processes."""
        whole = self.ratio(size, part)
        return Interval(ratio=1 / whole.ratio, low=1 / whole.high, high=min(1.0, 1 / whole.low) if whole.low else 1.0)

    def _effects(self, size: str, variant: str, over: str | None) -> list[Estimate]:
        baseline = over or self.variants(size)[0]
        return [
            replicate_estimate(
                [[value] for value in self._samples(process, size, baseline)],
                [[value] for value in self._samples(process, size, variant)],
            )
            for process in self._processes
        ]

    def _noise(self, size: str) -> list[Estimate]:
        return self._effects(size, AGAIN, None)

    def _samples(self, process: Mapping[str, Any], size: str, variant: str) -> list[float]:
        return process["sizes"][size][self.clock][variant]


def times(interval: Interval) -> str:
    """A ratio and its bounds, as the page shows them: 13.0x [12.5, 14.1]."""
    return f"{_ratio(interval.ratio)}x [{_ratio(interval.low)}, {_ratio(interval.high)}]"


def _ratio(value: float) -> str:
    """Three digits, zeros at the end included, since 1.00 says more than 1."""
    return f"{value:#.3g}" if 1e-4 <= value < 100 else digits(value)


def percent(interval: Interval) -> str:
    """A share and its bounds in per cent."""
    low, middle, high = (digits(100 * value) for value in (interval.low, interval.ratio, interval.high))
    return f"{middle} % [{low}, {high}]"


def span(seconds: float) -> str:
    """A time with a unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{digits(seconds * factor)} {unit}"
    return f"{digits(seconds * 1e9)} ns"


def digits(value: float) -> str:
    """A number with three digits that count, and thousands set apart; no exponent between 1e-4 and 1e9."""
    if value == 0 or not 1e-4 <= abs(value) < 1e9:
        return f"{value:.3g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
