"""What the command line asked for, and a run that ended."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What the command line asked for; `seed` and `device` win over the config's."""

    config: Path
    out: Path | None = None
    name: str | None = None
    seed: int | None = None
    device: str | None = None
    resume: Path | None = None
    verbose: bool = False


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """Where the run is, and what metrics.json holds; of several ranks, only the first one says anything."""

    folder: Path
    metrics: dict[str, Any]
    rank: int = 0
