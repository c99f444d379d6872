"""Batches that a loader made and nothing used."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader

from hotloop.diagnose.phase_times import PhaseTimes
from hotloop.diagnose.probe import Probe, ProbeReport, measured_finding
from hotloop.diagnose.trace_context import TraceContext, listening


@dataclass(kw_only=True)
class _Pass:
    """One pass over a loader: batches fetched, and after how many of them something was computed.

    `prefetched` counts the batches that its workers had been asked for beyond them.
    """

    fetched: int = 0
    used: int = 0
    trained_on: int = 0
    num_root_calls: int = 0
    num_backwards: int = 0
    prefetched: int = 0
    is_exhausted: bool = False

    @property
    def unused(self) -> int:
        """Batches that no backward followed; in a pass without any backward, those that no call of a root followed."""
        return 0 if self.is_exhausted else max(0, self.fetched - (self.trained_on or self.used))


class UnusedBatchProbe(Probe):
    """Counts batches that a pass fetched and nothing used before the next pass over the same loader began."""

    name = "unused"

    def __init__(self, context: TraceContext) -> None:
        super().__init__(context)
        self._passes: dict[int, _Pass] = {}
        self._ended: list[_Pass] = []

    def installed(self) -> AbstractContextManager[None]:
        """Hear of every fetch: a pass may last longer than any window."""
        return listening(self.context.on_fetch, self._fetched)

    def report(self, times: PhaseTimes) -> ProbeReport:
        """A finding where passes that were broken off left batches behind."""
        left = [each.unused for each in self._ended if each.unused]
        dropped = sum(each.prefetched for each in self._ended if not each.is_exhausted)
        data = {"passes": len(self._ended), "unused": sum(left), "prefetched": dropped}
        if not left or not self.steps or not self.context.loaders:
            return ProbeReport(data={**data, "unused": 0})
        finding = measured_finding(
            self.context.loaders[0][0],
            code="DA12",
            per_step=sum(left) / self.steps,
            share=times.shares.get("data_wait", 0.0) * sum(left) / self.steps,
            cure="take as many batches as are wanted with itertools.islice",
            message=(
                f"{len(left)} of {len(self._ended)} passes fetched a batch that was never used"
                + (f", and dropped {dropped} that workers had been asked for" if dropped else "")
            ),
        )
        return ProbeReport(findings=[finding], data=data)

    def _fetched(self, source: Any, is_exhausted: bool) -> None:
        if isinstance(source, DataLoader):
            self._begin(source)
            return
        loaders = self.context.loaders_of(source)
        current = self._passes.get(id(loaders[0][1])) if loaders else None
        if current is None:
            return
        if is_exhausted:
            current.is_exhausted = True
            return
        if current.fetched:
            self._count_use(current)
        current.fetched += 1
        current.prefetched = getattr(source, "_tasks_outstanding", 0)

    def _begin(self, loader: DataLoader[Any]) -> None:
        ended = self._passes.pop(id(loader), None)
        if ended is not None:
            self._count_use(ended)
            self._ended.append(ended)
        context = self.context
        self._passes[id(loader)] = _Pass(num_root_calls=context.num_root_calls, num_backwards=context.num_backwards)

    def _count_use(self, current: _Pass) -> None:
        """Whether anything was computed since the last fetch."""
        calls, backwards = self.context.num_root_calls, self.context.num_backwards
        current.used += calls > current.num_root_calls
        current.trained_on += backwards > current.num_backwards
        current.num_root_calls, current.num_backwards = calls, backwards
