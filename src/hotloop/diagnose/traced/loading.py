"""What a loader does while the step waits: lines of `__getitem__` by samples of the stack, caches, unused batches."""

import functools
import signal
import threading
from collections import Counter
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from hotloop.diagnose.traced.phases import Phases
from hotloop.diagnose.traced.places import NOWHERE, Place
from hotloop.diagnose.traced.scene import Report, Scene, StepTime, bound
from hotloop.finding import Finding

_PERIOD = 0.001
_WORTH_LOOKING = 0.02
_WORTH_TELLING = 0.03
_FEWEST_SAMPLES = 20
_FETCH = "/torch/utils/data/_utils/fetch.py"
_READING = ("open", "read", "scan", "load", "imread", "decode", "parquet")
_ROWWISE = ("iterrows", "itertuples", "apply")
_CURES = {
    "DA01": "take the column as an array once, and index that",
    "DA03": "do it once when the data set is built",
    "DA04": "decode once, or once a file with a cache, or map the file into memory",
}


class Loading:
    """Samples the stack every millisecond, by a timer's signal, and keeps what was seen while a loader fetched.

    Not by a thread that looks at the main thread's frames: a frame that is looked at keeps what is in it alive, and
    torch's guards must be undone in the thread, and at the moment, in which their frame ends.
    """

    name = "loading"

    def __init__(self, scene: Scene, phases: Phases) -> None:
        self._scene = scene
        self._phases = phases
        self._lines: Counter[tuple[Place, str]] = Counter()
        self._samples = 0
        self._fetching = 0
        self._caches: dict[str, tuple[Any, int, int]] = {}
        self._before: Any = None

    def is_wanted(self) -> bool:
        """Where steps wait for data that this process itself loads, and the timer is nobody's yet."""
        if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
            return False
        if signal.getsignal(signal.SIGALRM) not in (signal.SIG_DFL, None):
            return False
        waits = self._phases.split.shares.get("data_wait", 0.0) >= _WORTH_LOOKING
        return waits and any(loader.num_workers == 0 for _, loader in self._phases.loaders)

    def open(self) -> None:
        """Start to sample."""
        for _, loader in self._phases.loaders:
            for name, cached in _caches(loader).items():
                info = cached.cache_info()
                self._caches[name] = (cached, info.hits, info.misses)
        self._before = signal.signal(signal.SIGALRM, self._sample)
        signal.siginterrupt(signal.SIGALRM, False)  # what C code reads or waits for goes on
        signal.setitimer(signal.ITIMER_REAL, _PERIOD, _PERIOD)

    def step(self) -> None:
        """Nothing: samples are taken by the clock."""

    def close(self) -> None:
        """Stop sampling."""
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, self._before)

    def report(self, step: StepTime) -> Report:
        """Stages with their share of the step, and findings on lines and caches that are worth a look."""
        waiting = step.shares.get("data_wait", 0.0)
        stages = [
            {"path": place.path, "line": place.line, "callee": callee, "share": count / self._fetching * waiting}
            for (place, callee), count in self._lines.most_common(20)
        ]
        findings = self._findings(waiting) if self._fetching >= _FEWEST_SAMPLES else []
        hit_rates, found = self._hit_rates()
        data = {"samples": self._samples, "fetching": self._fetching, "stages": stages, "hit_rates": hit_rates}
        return Report(findings=[*findings, *found], data=data)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        self._samples += 1
        seen = self._stage(frame) if self._scene.fetching else None
        if seen is not None:
            self._fetching += 1
            self._lines[seen] += 1

    def _stage(self, frame: FrameType | None) -> tuple[Place, str] | None:
        """The line of the data set's own that is at work, outermost inside of the fetch, and what it called."""
        own: tuple[Place, str] | None = None
        callee = ""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.endswith(_FETCH):
                return own or (NOWHERE, callee or "collate")
            if self._scene.places.is_own(file):
                own = (Place(self._scene.places.original(file), frame.f_lineno), callee)
            callee = frame.f_code.co_name
            frame = frame.f_back
        return None

    def _findings(self, waiting: float) -> list[Finding]:
        by_line: Counter[Place] = Counter()
        callees: dict[Place, Counter[str]] = {}
        for (place, callee), count in self._lines.items():
            by_line[place] += count
            callees.setdefault(place, Counter())[callee] += count
        findings: list[Finding] = []
        for place, count in by_line.items():
            part = count / self._fetching
            if place is not NOWHERE and part * waiting >= _WORTH_TELLING:
                findings.append(_slow_line(place, callees[place], part=part, share=part * waiting))
        return findings

    def _hit_rates(self) -> tuple[dict[str, float], list[Finding]]:
        rates: dict[str, float] = {}
        findings: list[Finding] = []
        for name, (cached, hits, misses) in self._caches.items():
            info = cached.cache_info()
            asked = info.hits - hits + info.misses - misses
            if asked < _FEWEST_SAMPLES:
                continue
            rates[name] = (info.hits - hits) / asked
            if rates[name] < 0.5:
                code = getattr(getattr(cached, "__wrapped__", None), "__code__", None)
                findings.append(
                    Finding(
                        code="DA05",
                        path=self._scene.places.original(code.co_filename) if code else "",
                        line=code.co_firstlineno if code else 0,
                        cure="hold everything, or drop the cache",
                        message=f"the cache of {name} ({info.maxsize} items) answers {rates[name]:.0%} of calls",
                        evidence={"hit_rate": rates[name], "calls": asked},
                    )
                )
        return rates, findings


@dataclass(kw_only=True)
class _Pass:
    """One pass over a loader: batches fetched, and after how many of them something was computed."""

    fetched: int = 0
    looked_at: int = 0
    learned_from: int = 0
    uses: int = 0
    backwards: int = 0
    is_over: bool = False

    @property
    def unused(self) -> int:
        """Batches that nothing was learned from; in a pass that learns from none, those that no root was called for."""
        return 0 if self.is_over else max(0, self.fetched - (self.learned_from or self.looked_at))


class Unused:
    """Counts batches that a pass fetched and nothing used before the next pass over the same loader began."""

    def __init__(self, scene: Scene, phases: Phases) -> None:
        self._scene = scene
        self._phases = phases
        self._passes: dict[int, _Pass] = {}
        self._ended: list[_Pass] = []
        scene.fetched.append(self._note)

    def report(self, steps: int) -> Report:
        """A finding where passes that were broken off left batches behind."""
        left = [each.unused for each in self._ended if each.unused]
        if not left or not steps or not self._phases.loaders:
            return Report(data={"passes": len(self._ended), "unused": 0})
        place = self._phases.loaders[0][0]
        share = self._phases.split.shares.get("data_wait", 0.0) * sum(left) / steps
        finding = Finding(
            code="DA12",
            path=place.path,
            line=place.line,
            per_step=sum(left) / steps,
            share=share,
            bound=bound(share),
            cure="take as many batches as are wanted with itertools.islice",
            message=f"{len(left)} of {len(self._ended)} passes fetched a batch that was never used",
        )
        return Report(findings=[finding], data={"passes": len(self._ended), "unused": sum(left)})

    def _note(self, source: Any, is_over: bool) -> None:
        if isinstance(source, DataLoader):
            ended = self._passes.pop(id(source), None)
            if ended is not None:
                self._count_use(ended)
                self._ended.append(ended)
            self._passes[id(source)] = _Pass(uses=self._scene.uses, backwards=self._scene.backwards)
            return
        current = self._pass_of(source)
        if current is None:
            return
        if is_over:
            current.is_over = True
            return
        if current.fetched:
            self._count_use(current)
        current.fetched += 1

    def _pass_of(self, iterator: Any) -> _Pass | None:
        """The pass of the loader that this iterator draws from; they share its data set."""
        for _, loader in self._phases.loaders:
            if loader.dataset is getattr(iterator, "_dataset", None):
                return self._passes.get(id(loader))
        return None

    def _count_use(self, current: _Pass) -> None:
        current.looked_at += self._scene.uses > current.uses
        current.learned_from += self._scene.backwards > current.backwards
        current.uses, current.backwards = self._scene.uses, self._scene.backwards


def _slow_line(place: Place, callees: Counter[str], *, part: float, share: float) -> Finding:
    callee = callees.most_common(1)[0][0]
    code = "DA03"
    if any(word in callee for word in _ROWWISE):
        code = "DA01"
    elif any(word in callee for word in _READING):
        code = "DA04"
    return Finding(
        code=code,
        path=place.path,
        line=place.line,
        share=share,
        bound=bound(share),
        cure=_CURES[code],
        message=f"{part:.0%} of the loading is this line{f' ({callee})' if callee else ''}: {share:.0%} of a step",
        evidence={"callee": callee, "share_of_loading": part},
    )


def _caches(loader: DataLoader[Any]) -> dict[str, Any]:
    """Caches of functools that the data set's __getitem__ names, as attributes or globals."""
    dataset = loader.dataset
    method = getattr(type(dataset), "__getitem__", None)
    code = getattr(method, "__code__", None)
    found: dict[str, Any] = {}
    for name in code.co_names if code else ():
        for value in (getattr(dataset, name, None), getattr(method, "__globals__", {}).get(name)):
            cached = getattr(value, "__func__", value)
            if isinstance(cached, functools._lru_cache_wrapper):  # pyright: ignore[reportPrivateUsage]
                found[name] = cached
    return found
