"""The loaders' worker processes, seen from the diagnosed process: when they profile, and what they have seen."""

import json
import mmap
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter  # pyright: ignore[reportPrivateUsage]

from hotloop.diagnose.call_sites import SourceLine
from hotloop.diagnose.dataset_caches import CacheCounts
from hotloop.diagnose.fetch_profile import FLAG, ProfiledInit
from hotloop.diagnose.trace_context import TraceContext
from hotloop.workloads.patched import patched


@dataclass(kw_only=True)
class FetchTotals:
    """What all workers saw: batches fetched, the seconds that they took, samples by line, and caches."""

    processes: int = 0
    fetches: int = 0
    seconds: float = 0.0
    lines: Counter[tuple[SourceLine, str]] = field(default_factory=Counter[tuple[SourceLine, str]])
    caches: list[CacheCounts] = field(default_factory=list[CacheCounts])


class LoaderWorkers:
    """Every worker that a loader starts in this process carries a profile, which sleeps until the window opens."""

    def __init__(self, context: TraceContext) -> None:
        self._context = context
        self._folder: Path | None = None
        self._flag: mmap.mmap | None = None

    @contextmanager
    def installed(self) -> Generator[None]:
        """Loaders give their workers our worker_init_fn, which calls their own."""
        scratch = self._context.call_sites.scratch
        folder = Path(tempfile.mkdtemp(prefix="loading-", dir=scratch.folder))
        (folder / FLAG).write_bytes(b"\0")
        with (folder / FLAG).open("r+b") as file:
            self._folder, self._flag = folder, mmap.mmap(file.fileno(), 1)
        original = _MultiProcessingDataLoaderIter.__init__

        def init(iterator: Any, loader: Any) -> None:
            own = loader.worker_init_fn
            if not self._context.is_forked:
                loader.worker_init_fn = ProfiledInit(own, folder, scratch)
            try:
                original(iterator, loader)
            finally:
                loader.worker_init_fn = own

        with patched(_MultiProcessingDataLoaderIter, "__init__", init):
            yield

    @contextmanager
    def profiling(self) -> Generator[None]:
        """Workers profile from their next fetch on, and stop with the one that follows."""
        if self._flag is not None:
            self._flag[0] = 1
        yield
        if self._flag is not None:
            self._flag[0] = 0

    def totals(self) -> FetchTotals:
        """What the workers have written so far."""
        found = FetchTotals()
        for path in sorted(self._folder.glob("*.json")) if self._folder else ():
            data = json.loads(path.read_text(encoding="utf-8"))
            found.processes += 1
            found.fetches += int(data["fetches"])
            found.seconds += float(data["seconds"])
            for file, line, callee, count in data["stages"]:
                found.lines[SourceLine(str(file), int(line)), str(callee)] += int(count)
            found.caches += [CacheCounts(**counts) for counts in data["caches"]]
        return found
