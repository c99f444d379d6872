"""What a loader does while the step waits: lines of `__getitem__` by samples of the stack, and its caches."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

from hotloop.diagnose.dataset_caches import CacheCounts, DatasetCaches, total
from hotloop.diagnose.loader_workers import FetchTotals, LoaderWorkers
from hotloop.diagnose.loading_stages import FEWEST_SAMPLES, by_line, stages_of
from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport
from hotloop.diagnose.stack_samples import SampleTimer, StackSamples
from hotloop.diagnose.step_window import StepWindow
from hotloop.diagnose.trace_context import TraceContext, listening
from hotloop.finding import Finding

_WORTH_SAMPLING = 0.02
_WORTH_REPORTING = 0.03
_MOST_LISTED = 20


class LoadingProbe(Probe):
    """Samples the stack of whatever process loads, and keeps what was seen while a loader fetched.

    In this process it samples by a timer of its own; worker processes sample themselves and write a file each.
    """

    name = "loading"
    window = StepWindow(order=70, least=0.05, most=0.1)

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._workers = LoaderWorkers(context)
        self._stack = StackSamples(context.call_sites)
        self._timer = SampleTimer()
        self._samples = 0
        self._batches = 0
        self._caches = DatasetCaches(context.call_sites, ())

    def installed(self) -> AbstractContextManager[None]:
        """Workers must be started with a profile in them."""
        return self._workers.installed()

    def is_wanted(self) -> bool:
        """Where steps wait for data, and who loads them can be sampled."""
        if self.context.times.shares.get("data_wait", 0.0) < _WORTH_SAMPLING:
            return False
        return self._num_workers > 0 or self._can_sample

    @contextmanager
    def active(self) -> Generator[None]:
        """Sample this process, if it loads, and the workers."""
        self._caches = DatasetCaches(self.context.call_sites, [loader.dataset for _, loader in self.context.loaders])
        with listening(self.context.on_batch, self._count), self._workers.profiling():
            if is_sampling := self._can_sample:
                self._timer.start(self._sample)
            yield
            if is_sampling:
                self._timer.stop()

    def report(self, times: PhaseTimes) -> ProbeReport:
        """Stages with the share of a step that each could win, and findings on lines and caches.

        Making a stage of the loading free wins at most the time that it takes, and at most the whole wait.
        """
        waiting = times.shares.get("data_wait", 0.0)
        workers = self._workers.totals()
        busy = self._busy(workers, times)
        stages = [*stages_of(self._stack.lines, waiting, waiting), *stages_of(workers.lines, busy, waiting)]
        stages.sort(key=lambda stage: stage.share, reverse=True)
        asked = [
            counts for counts in total([*self._caches.counts(), *workers.caches]) if counts.calls >= FEWEST_SAMPLES
        ]
        findings = [
            *(stage.finding() for stage in by_line(stages, waiting) if stage.share >= _WORTH_REPORTING),
            *(_useless(counts) for counts in asked if counts.hits < counts.calls / 2),
        ]
        data = {
            "samples": self._samples,
            "fetching": self._stack.lines.total(),
            "stages": [stage.to_data() for stage in stages[:_MOST_LISTED]],
            "hit_rates": {counts.name: counts.hits / counts.calls for counts in asked},
            "workers": {
                "processes": workers.processes,
                "fetches": workers.fetches,
                "busy": busy,
                "samples": workers.lines.total(),
            },
        }
        return ProbeReport(findings=findings, data=data)

    @property
    def _can_sample(self) -> bool:
        """Whether this process loads, and has a timer for it."""
        return any(loader.num_workers == 0 for _, loader in self.context.loaders) and self._timer.is_free

    @property
    def _num_workers(self) -> int:
        return max((loader.num_workers for _, loader in self.context.loaders), default=0)

    def _busy(self, workers: FetchTotals, times: PhaseTimes) -> float:
        """The share of a step in which each worker fetches, to keep up with it."""
        if not workers.fetches or not self.steps:
            return 0.0
        seconds_a_batch = workers.seconds / workers.fetches
        return times.share(seconds_a_batch * self._batches / self.steps / self._num_workers)

    def _count(self, _iterator: Any, _batch: Any) -> None:
        self._batches += 1

    def _sample(self, frame: FrameType | None) -> None:
        self._samples += 1
        if self.context.fetch_depth:
            self._stack.sample(frame)


def _useless(cache: CacheCounts) -> Finding:
    rate = cache.hits / cache.calls
    return Finding(
        code="DA05",
        path=cache.path,
        line=cache.line,
        cure="hold everything, or drop the cache",
        message=f"the cache of {cache.name} ({cache.size} items) answers {rate:.0%} of calls",
        evidence={"hit_rate": rate, "calls": cache.calls},
    )
