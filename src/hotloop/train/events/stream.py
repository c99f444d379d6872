"""The stream of a run's events: numbered, and given to every sink."""

from collections.abc import Mapping
from typing import Any, Protocol

from hotloop.train.events.event import Event


class Sink(Protocol):
    """Takes events as they come."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Take one event in JSON types, with its number."""
        ...


class EventStream:
    """Numbers events from 0 and hands them to all sinks, in order; `source` marks all of them, where it is given.

    Nothing is read from a device: events hold plain numbers. A sink that raises ends the run; sinks for which that
    would be too much, such as trackers, keep their errors to themselves and say so.
    """

    def __init__(self, *sinks: Sink, source: Mapping[str, Any] | None = None) -> None:
        self._sinks = list(sinks)
        self._source = dict(source or {})
        self.count = 0

    def add_sink(self, sink: Sink) -> None:
        """Hand what comes from now on to this sink as well."""
        self._sinks.append(sink)

    def marked(self, **source: Any) -> "EventStream":
        """A stream into this one, whose events are marked by `source` as well."""
        return EventStream(self, source=source)

    def emit(self, event: Event) -> None:
        """Number an event and hand it on."""
        self.write(event.record())

    def write(self, record: Mapping[str, Any]) -> None:
        """Number a record, anew where it comes from another stream, and hand it on."""
        numbered = {**record, **self._source, "number": self.count}
        self.count += 1
        for sink in self._sinks:
            sink.write(numbered)
