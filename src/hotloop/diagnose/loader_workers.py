"""The loaders' worker processes, seen from the diagnosed process: told when to look, and asked what they saw."""

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

from hotloop.diagnose.call_sites import Place
from hotloop.diagnose.dataset_caches import Asked
from hotloop.diagnose.fetch_profile import FLAG, Start
from hotloop.diagnose.trace_context import Scene


@dataclass(kw_only=True)
class Seen:
    """What all workers saw while they looked: batches fetched, the seconds that they took, lines, and caches."""

    processes: int = 0
    fetches: int = 0
    seconds: float = 0.0
    lines: Counter[tuple[Place, str]] = field(default_factory=Counter[tuple[Place, str]])
    caches: list[Asked] = field(default_factory=list[Asked])

    @property
    def seconds_a_batch(self) -> float:
        """Seconds that a worker fetched for one batch."""
        return self.seconds / self.fetches if self.fetches else 0.0


class Workers:
    """Every worker that a loader starts in this process carries a profile, which sleeps until the window opens."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._folder: Path | None = None
        self._flag: mmap.mmap | None = None

    @contextmanager
    def installed(self) -> Generator[None]:
        """Loaders give their workers our worker_init_fn, which calls their own."""
        scratch = self._scene.places.scratch
        folder = Path(tempfile.mkdtemp(prefix="loading-", dir=scratch.folder))
        self._folder, self._flag = folder, _flag(folder)
        scene = self._scene
        original = _MultiProcessingDataLoaderIter.__init__

        def init(self: Any, loader: Any) -> None:
            own = loader.worker_init_fn
            if not scene.is_forked:
                loader.worker_init_fn = Start(own, folder, scratch)
            try:
                original(self, loader)
            finally:
                loader.worker_init_fn = own

        _MultiProcessingDataLoaderIter.__init__ = init
        try:
            yield
        finally:
            _MultiProcessingDataLoaderIter.__init__ = original

    def open(self) -> None:
        """Workers look from their next fetch on."""
        if self._flag is not None:
            self._flag[0] = 1

    def close(self) -> None:
        """Workers stop with their next fetch."""
        if self._flag is not None:
            self._flag[0] = 0

    def seen(self) -> Seen:
        """What the workers have left behind."""
        found = Seen()
        for path in sorted(self._folder.glob("*.json")) if self._folder else ():
            _add(found, json.loads(path.read_text(encoding="utf-8")))
        return found


def _add(found: Seen, data: Any) -> None:
    found.processes += 1
    found.fetches += int(data["fetches"])
    found.seconds += float(data["seconds"])
    for path, line, callee, count in data["stages"]:
        found.lines[Place(str(path), int(line)), str(callee)] += int(count)
    found.caches += [Asked(**asked) for asked in data["caches"]]


def _flag(folder: Path) -> mmap.mmap:
    path = folder / FLAG
    path.write_bytes(b"\0")
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), 1)
