"""Was an Amdahl limit that the diagnosis gave ever beaten by what `tune` then measured?

    python benchmarks/diagnose/amdahl_limits.py

Reads the runs of `tune` on the examples that benchmarks/tune/bench_examples.py has stored. For each change that was
measured, the lower end of the interval is compared with the limit that was printed before. Exits with 1 where a limit
was beaten, with 2 where there is nothing to compare.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hotloop.measurement import Interval
from hotloop.records.documents import read_result

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True, kw_only=True)
class LimitedChange:
    """One measured change with the most that the diagnosis said it could win."""

    example: str
    change: str
    against: str
    amdahl_limit: float
    measured: Interval

    @property
    def is_beaten(self) -> bool:
        """Whether the whole measured interval lies above the limit."""
        return self.measured.low > self.amdahl_limit

    def __str__(self) -> str:
        m, word = self.measured, "BEATEN" if self.is_beaten else "holds"
        return (
            f"{self.example}: {self.change} on {self.against}: at most {self.amdahl_limit:.3f}x, "
            f"measured {m.ratio:.3f}x [{m.low:.3f}, {m.high:.3f}]: {word}"
        )


def stored() -> Iterator[LimitedChange]:
    """Every change with a limit of every stored run."""
    for path in sorted(RESULTS.glob("*/tune/*.json")):
        result = read_result(json.loads(path.read_text(encoding="utf-8")))
        for trial in result.trials:
            if trial.amdahl_limit is not None and trial.speedup is not None:
                yield LimitedChange(
                    example=path.stem,
                    change=trial.change,
                    against=trial.against,
                    amdahl_limit=trial.amdahl_limit,
                    measured=trial.speedup,
                )


def main() -> None:
    found = list(stored())
    print(*found, sep="\n")
    if not found:
        sys.exit(2)
    sys.exit(any(each.is_beaten for each in found))


if __name__ == "__main__":
    main()
