"""The one shape of a claim on trial: what was said, variants of the same work on the same inputs, and how to judge.

Each file `panel_*.py` and `growth_*.py` beside this one defines one `CLAIM`. A new claim is a new file; nothing else
changes. The names of sizes, variants and counts are what the page shows, so they are plain words.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.claims.evidence import Evidence

FOLDER = Path(__file__).parent
SOURCES = {
    "panel": "Stock-panel model: an efficiency report of ten items, each with a promised gain",
    "growth": "Networks that grow: a review of a training loop, finding by finding",
}


class Ruling(StrEnum):
    """What the trial says of a claim."""

    HOLDS = "holds"
    HALF = "half"
    FAILS = "does not hold"
    NO_CUDA = "cannot be judged without CUDA"
    UNCLEAR = "cannot be judged here"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Callables that do the same work on the same inputs; the first is what the claim found.

    `check` raises AssertionError where the results of all variants, by name, are not equal to the stated tolerance.
    It is None where the variants are parts of one whole that are timed for their share, and have nothing in common.
    """

    variants: Mapping[str, Callable[[], Any]]
    check: Callable[[Mapping[str, Any]], None] | None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A ruling, the figures it rests on, and one line that says why."""

    ruling: Ruling
    measured: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What was claimed, and everything needed to try it.

    `item` is the number in its source, `text` the claim in plain words, `figure` what it promised. `sizes` build one
    comparison each; `counts` returns figures that no clock is needed for, equal in every process. `needs_cuda` marks
    what only a GPU can settle.
    """

    item: str
    title: str
    text: str
    figure: str
    judge: Callable[[Evidence], Judgement]
    sizes: Mapping[str, Callable[[], Comparison]] = field(default_factory=dict)
    counts: Callable[[], Mapping[str, float]] | None = None
    needs_cuda: bool = False


def names() -> list[str]:
    """Names of all claims, in the order of the page."""
    return [path.stem for source in SOURCES for path in sorted(FOLDER.glob(f"{source}_*.py"))]


def load(name: str) -> Claim:
    """The claim of that name. Raises ValueError for a name that no file has."""
    if name not in names():
        raise ValueError(f"no claim is named {name!r}; there are {', '.join(names())}: give one of them")
    return importlib.import_module(f"benchmarks.claims.{name}").CLAIM
