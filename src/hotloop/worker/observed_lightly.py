"""Follows a run of which only losses are taken: after which step each kind of event comes, and what it saves."""

import time
from typing import Any

from torch import nn

from hotloop.worker.observed_errors import Fail
from hotloop.worker.observed_events import ObservedEvents
from hotloop.worker.observed_saves import ObservedSaves
from hotloop.worker.spec import ObservationSpec

_MOST_STEPS = 5000


class ObservedLightly:
    """Counts steps and events, and says when there is nothing more to wait for; it looks at no tensor."""

    def __init__(self, spec: ObservationSpec) -> None:
        self.steps = 0
        self._spec = spec
        self._began = 0.0
        self._events = ObservedEvents(step=lambda: self.steps)
        self._saves = ObservedSaves(step=lambda: self.steps, is_passive=True)

    def follow(self, fail: Fail) -> None:
        """Start, for the rest of this process."""
        self._events.follow()
        self._saves.follow(fail)

    def root_called(self, module: nn.Module) -> None:
        """A root is about to be called."""
        self._events.root_called(module)

    def step(self) -> bool:
        """A step has ended; whether it was the last that is asked for."""
        self.steps += 1
        self._began = self._began or time.monotonic()
        if self.steps < self._spec.steps:
            return False
        is_over = time.monotonic() - self._began >= self._spec.further_seconds
        return is_over or self._events.has_met_all or self.steps >= _MOST_STEPS

    def to_data(self) -> dict[str, Any]:
        """What was seen."""
        return {"saves": self._saves.to_data(), "events": self._events.counts, "first_events": self._events.first}
