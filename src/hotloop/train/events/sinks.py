"""Where events go: a file of JSON lines, a console, a tracker, a list."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from hotloop.whole_file import write_whole


class JsonLinesSink:
    """Appends one JSON object a line to a file, which is on the disk's side of Python when `write` returns.

    `keep` is how many events of an earlier process stay; what that wrote after its last checkpoint is cut off, since
    it happens again, and events with lower numbers, which are there, are left out. Without it the file is begun anew.
    """

    def __init__(self, path: Path, *, keep: int = 0) -> None:
        self._path, self._keep = path, keep
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[:keep] if keep else []
        write_whole(path, "".join(lines))

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one event."""
        if record["number"] < self._keep:
            return
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, allow_nan=False) + "\n")


class ConsoleSink:
    """Writes one line an event to a text stream; `types` are the ones that are shown, all where it is empty."""

    def __init__(self, stream: TextIO, *, types: frozenset[str] = frozenset()) -> None:
        self._stream, self._types = stream, types

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one event, where it is to be shown."""
        if self._types and record["type"] not in self._types:
            return
        shown = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in record.items()
            if key not in ("number", "type", "epoch") and value is not None and not isinstance(value, dict | list)
        )
        self._stream.write(f"epoch {record['epoch']}: {record['type'].replace('_', ' ')}: {shown}\n")


class TrackerSink:
    """Gives the numbers of each event to `log(figures, epoch)` of a tracker, named `<type>/<field>`.

    The first error of the tracker becomes a warning, and nothing is given to it any more: training stands.
    """

    def __init__(self, log: Callable[[dict[str, float], int], object]) -> None:
        self._log: Callable[[dict[str, float], int], object] | None = log

    def write(self, record: Mapping[str, Any]) -> None:
        """Hand on the numbers of one event."""
        if self._log is None:
            return
        kind = record["type"]
        given = {key: value for key, value in record.items() if key not in ("number", "epoch")}
        figures = {f"{kind}/{key}": float(value) for key, value in given.items() if isinstance(value, int | float)}
        try:
            if figures:
                self._log(figures, record["epoch"])
        except Exception as error:  # noqa: BLE001  # a tracker is somebody else's code
            self._log = None
            warnings.warn(
                f"the tracker took no event of type {kind!r} ({type(error).__name__}: {error}) and gets no more; "
                "training goes on",
                RuntimeWarning,
                stacklevel=2,
            )


class ListSink:
    """Keeps the events of a process in `records`."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        """Keep one event."""
        self.records.append(record)
