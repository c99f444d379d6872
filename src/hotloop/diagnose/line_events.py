"""LineEvents: what happened at one line of the program during a window."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

_Key = TypeVar("_Key")
_Events = TypeVar("_Events", bound="LineEvents")


@dataclass(kw_only=True)
class LineEvents:
    """Events of a line: how many of each kind, in which steps, and the seconds that they took."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    steps: set[int] = field(default_factory=set[int])
    seconds: float = 0.0

    def add(self, kind: str, step: int, seconds: float) -> None:
        """One event."""
        self.kinds[kind] += 1
        self.steps.add(step)
        self.seconds += seconds


def frequent(lines: Mapping[_Key, _Events], *, share: float, steps: int) -> dict[_Key, _Events]:
    """The lines with events in at least this share of so many steps."""
    return {key: events for key, events in lines.items() if len(events.steps) >= share * steps}
