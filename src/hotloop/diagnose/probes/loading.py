"""What a loader does while the step waits: lines of `__getitem__` by samples of the stack, and its caches."""

from collections import Counter
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from hotloop.diagnose.call_sites import NOWHERE, Place
from hotloop.diagnose.dataset_caches import Asked, Caches, total
from hotloop.diagnose.loader_workers import Seen, Workers
from hotloop.diagnose.probes.phases import Phases
from hotloop.diagnose.stack_samples import Stack, Timer
from hotloop.diagnose.trace_context import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_WORTH_LOOKING = 0.02
_WORTH_TELLING = 0.03
_FEWEST_SAMPLES = 20
_MOST_LISTED = 20
_READING = ("open", "read", "scan", "load", "imread", "decode", "parquet")
_ROWWISE = ("iterrows", "itertuples", "apply")
_CURES = {
    "DA01": "take the column as an array once, and index that",
    "DA03": "do it once when the data set is built",
    "DA04": "decode once, or once a file with a cache, or map the file into memory",
}


class Loading:
    """Samples the stack of whatever process loads, and keeps what was seen while a loader fetched.

    In this process it looks by a timer of its own; worker processes look at themselves and leave a file each.
    """

    name = "loading"

    def __init__(self, scene: Scene, phases: Phases, workers: Workers) -> None:
        self._scene = scene
        self._phases = phases
        self._workers = workers
        self._stack = Stack(scene.places)
        self._timer = Timer()
        self._is_sampling = False
        self._samples = 0
        self._steps = 0
        self._batches = 0
        self._caches: Caches | None = None

    def is_wanted(self) -> bool:
        """Where steps wait for data, and who loads them can be looked at."""
        if self._phases.split.shares.get("data_wait", 0.0) < _WORTH_LOOKING:
            return False
        return self._num_workers > 0 or (self._loads_itself and self._timer.is_free)

    def open(self) -> None:
        """Start to sample."""
        self._scene.yielded.append(self._count)
        self._workers.open()
        self._caches = Caches(self._scene.places, [loader.dataset for _, loader in self._phases.loaders])
        self._is_sampling = self._loads_itself and self._timer.is_free
        if self._is_sampling:
            self._timer.start(self._sample)

    def step(self) -> None:
        """Count; samples are taken by the clock."""
        self._steps += 1

    def close(self) -> None:
        """Stop sampling."""
        if self._is_sampling:
            self._timer.stop()
        self._workers.close()
        self._scene.yielded.remove(self._count)

    def report(self, step: StepTime) -> Report:
        """Stages with the share of a step that each could win, and findings on lines and caches worth a look.

        Making a stage of the loading free wins at most the time that it takes, and at most the whole wait.
        """
        waiting = step.shares.get("data_wait", 0.0)
        seen = self._workers.seen()
        busy = self._busy(seen, step)
        stages = [*_stages(self._stack.lines, waiting, waiting), *_stages(seen.lines, busy, waiting)]
        stages.sort(key=lambda stage: stage.share, reverse=True)
        findings = [stage.finding() for stage in _by_line(stages, waiting) if stage.share >= _WORTH_TELLING]
        asked = [each for each in total([*(self._caches.asked() if self._caches else []), *seen.caches])]
        asked = [each for each in asked if each.calls >= _FEWEST_SAMPLES]
        data = {
            "samples": self._samples,
            "fetching": self._stack.samples,
            "stages": [stage.data() for stage in stages[:_MOST_LISTED]],
            "hit_rates": {each.name: each.hits / each.calls for each in asked},
            "workers": {
                "processes": seen.processes,
                "fetches": seen.fetches,
                "busy": busy,
                "samples": seen.lines.total(),
            },
        }
        return Report(
            findings=[*findings, *(_useless(each) for each in asked if each.hits < each.calls / 2)], data=data
        )

    @property
    def _loads_itself(self) -> bool:
        return any(loader.num_workers == 0 for _, loader in self._phases.loaders)

    @property
    def _num_workers(self) -> int:
        return max((loader.num_workers for _, loader in self._phases.loaders), default=0)

    def _busy(self, seen: Seen, step: StepTime) -> float:
        """The share of a step in which each worker fetches, to keep up with it."""
        if not seen.fetches or not self._steps:
            return 0.0
        return step.share(seen.seconds_a_batch * self._batches / self._steps / self._num_workers)

    def _count(self, _iterator: Any, _batch: Any) -> None:
        self._batches += 1

    def _sample(self, frame: FrameType | None) -> None:
        self._samples += 1
        if self._scene.fetching:
            self._stack.sample(frame)


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """A line at work in `part` of all samples of the loading; `share` of a step could be won there."""

    place: Place
    callee: str
    samples: int
    part: float
    share: float

    def data(self) -> dict[str, Any]:
        """For the document."""
        return {"path": self.place.path, "line": self.place.line, "callee": self.callee, "share": self.share}

    def finding(self) -> Finding:
        """The line, under the rule that its callee speaks for."""
        code = "DA03"
        if any(word in self.callee for word in _ROWWISE):
            code = "DA01"
        elif any(word in self.callee for word in _READING):
            code = "DA04"
        said = f"this line{f' ({self.callee})' if self.callee else ''}"
        return Finding(
            code=code,
            path=self.place.path,
            line=self.place.line,
            share=self.share,
            amdahl_limit=bound(self.share),
            cure=_CURES[code],
            message=f"{self.part:.0%} of the loading is {said}: {self.share:.0%} of a step",
            evidence={"callee": self.callee, "share_of_loading": self.part},
        )


def _stages(lines: Counter[tuple[Place, str]], busy: float, waiting: float) -> list[_Stage]:
    """Stages of a process that loads for `busy` of its time."""
    whole = lines.total()
    if whole < _FEWEST_SAMPLES:
        return []
    return [
        _Stage(place=place, callee=callee, samples=count, part=count / whole, share=min(waiting, count / whole * busy))
        for (place, callee), count in lines.items()
    ]


def _by_line(stages: list[_Stage], waiting: float) -> list[_Stage]:
    """One stage for each line of the program's own, named for what it calls most."""
    lines: dict[Place, list[_Stage]] = {}
    for stage in stages:
        if stage.place != NOWHERE:
            lines.setdefault(stage.place, []).append(stage)
    return [
        replace(
            max(parts, key=lambda stage: stage.samples),
            part=sum(stage.part for stage in parts),
            share=min(waiting, sum(stage.share for stage in parts)),
        )
        for parts in lines.values()
    ]


def _useless(cache: Asked) -> Finding:
    rate = cache.hits / cache.calls
    return Finding(
        code="DA05",
        path=cache.path,
        line=cache.line,
        cure="hold everything, or drop the cache",
        message=f"the cache of {cache.name} ({cache.size} items) answers {rate:.0%} of calls",
        evidence={"hit_rate": rate, "calls": cache.calls},
    )
