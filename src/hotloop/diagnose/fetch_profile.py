"""What runs in a loader's worker process: while a flag is up, its fetches are timed and their stack is sampled.

The flag is one byte of a file that the diagnosed process and its workers map; a worker looks at it before each fetch
and does nothing else while it is down. What it saw it writes as JSON into the same folder. No random number is drawn.
"""

import json
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from types import FrameType
from typing import Any

from torch.utils.data._utils import fetch

from hotloop.diagnose.call_sites import CallSites
from hotloop.diagnose.dataset_caches import DatasetCaches
from hotloop.diagnose.stack_samples import SampleTimer, StackSamples
from hotloop.whole_file import write_whole
from hotloop.workloads.scratch import Scratch

FLAG = "flag"
_REWRITE = 0.1


@dataclass(frozen=True)
class ProfiledInit:
    """Takes the place of a loader's worker_init_fn, in a spawned worker too, and then calls it as it was given."""

    own: Callable[[int], None] | None
    folder: Path
    scratch: Scratch

    def __call__(self, worker: int) -> None:
        """Profile the fetches of this process from now on."""
        profile = FetchProfile(self.folder, CallSites(self.scratch))
        for kind in (fetch._MapDatasetFetcher, fetch._IterableDatasetFetcher):  # pyright: ignore[reportPrivateUsage]
            kind.fetch = _profiled(profile, kind.fetch)
        if self.own is not None:
            self.own(worker)


class FetchProfile:
    """Fetches of one worker process."""

    def __init__(self, folder: Path, call_sites: CallSites) -> None:
        self._folder = folder
        self._call_sites = call_sites
        with (folder / FLAG).open("rb") as file:
            self._flag = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
        self._samples = StackSamples(call_sites)
        self._timer = SampleTimer()
        self._caches: DatasetCaches | None = None
        self._seconds = 0.0
        self._count = 0
        self._written = 0.0

    def fetch(self, original: Callable[[Any, Any], Any], fetcher: Any, index: Any) -> Any:
        """What the original fetches; profiled while the flag is up."""
        if not self._flag[0]:
            self._end()
            return original(fetcher, index)
        if self._caches is None:
            self._caches = DatasetCaches(self._call_sites, [fetcher.dataset])
            Finalize(None, self._end, exitpriority=0)  # an epoch may end before the flag goes down
            if self._timer.is_free:
                self._timer.start(self._sample)
        began = time.perf_counter()
        try:
            return original(fetcher, index)
        finally:
            self._seconds += time.perf_counter() - began
            self._count += 1
            if time.perf_counter() - self._written > _REWRITE:
                self._write(self._caches)

    def _end(self) -> None:
        """Write what was seen since the flag went up, if it was."""
        if self._caches is not None:
            self._write(self._caches)
            self._caches = None

    def _sample(self, frame: FrameType | None) -> None:
        if self._flag[0]:
            self._samples.sample(frame)
        else:  # nothing may be fetched any more: the last sample stops the clock
            self._timer.pause()

    def _write(self, caches: DatasetCaches) -> None:
        stages = [[at.path, at.line, callee, count] for (at, callee), count in self._samples.lines.items()]
        data = {
            "fetches": self._count,
            "seconds": self._seconds,
            "stages": stages,
            "caches": [asdict(counts) for counts in caches.counts()],
        }
        write_whole(self._folder / f"{os.getpid()}.json", json.dumps(data))
        self._written = time.perf_counter()


def _profiled(profile: FetchProfile, original: Callable[[Any, Any], Any]) -> Any:
    def fetch_profiled(fetcher: Any, index: Any) -> Any:
        return profile.fetch(original, fetcher, index)

    return fetch_profiled
