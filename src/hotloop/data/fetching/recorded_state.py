"""The state in which a data set was when its first samples were kept, for a process and the workers that it forks."""

import json
import mmap
from collections.abc import Mapping
from typing import Any

from hotloop.data.fetching.dataset_state import changed, state_of
from hotloop.data.fetching.sample_store import SampleArena
from hotloop.errors import NotApplicable

_BYTES = 1 << 16


class RecordedState:
    """Digests by attribute, in memory that is mapped before workers are forked."""

    def __init__(self, arena: SampleArena) -> None:
        self._arena = arena
        self._map = mmap.mmap(-1, _BYTES)

    def checked(self, dataset: Any) -> Mapping[str, str]:
        """The state now. Raises NotApplicable where it is not the recorded one."""
        return self.unchanged(dataset, since=self._read())

    def unchanged(self, dataset: Any, *, since: Mapping[str, str]) -> Mapping[str, str]:
        """The state now. Raises NotApplicable where an attribute is another than it was."""
        now = state_of(dataset)
        name = changed(since, now)
        if name is not None:
            told = "globals that it reads" if name == "globals" else f"attribute {name}"
            raise NotApplicable(f"the data set changes while it is read ({told}): kept samples would be old ones")
        return now

    def record(self, now: Mapping[str, str]) -> None:
        """Record a state, and later the attributes that were filled since."""
        before = self._read()
        if now.keys() <= before.keys():
            return
        data = json.dumps({**now, **before}).encode()
        if len(data) + 8 > _BYTES:
            raise NotApplicable(f"the data set has {len(now)} attributes, too many to be followed")
        with self._arena.locked():
            self._map[8 : 8 + len(data)] = data
            self._map[:8] = len(data).to_bytes(8, "little")

    def _read(self) -> Mapping[str, str]:
        with self._arena.locked():
            length = int.from_bytes(self._map[:8], "little")
            data = self._map[8 : 8 + length]
        return json.loads(data) if length else {}
